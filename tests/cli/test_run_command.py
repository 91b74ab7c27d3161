"""The `lightning-tf` command trains, evaluates, predicts and exports."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from helpers.paths import ROOT

from lightning_tf.cli.main import main

DIGITS = ["--task", "ImageClassification", "--task.data", "digits", "--task.network", "linear"]
KERAS_SAVES = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
QUIET = ["--trainer.enable_progress_bar", "false", "--trainer.enable_model_summary", "false"]
FEW = ["--trainer.limit_train_batches", "4", "--trainer.limit_val_batches", "2"]


@pytest.fixture
def fitted(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    limits = ["--trainer.max_epochs", "1", "--trainer.seed", "3"]
    assert main(["fit", *DIGITS, *QUIET, *FEW, *limits]) == 0
    assert "written: " in capsys.readouterr().out
    return Path("runs/version_0")


def options(folder):
    return ["--config", str(folder / "config.yaml")]


def test_fit_writes_its_options_beside_its_checkpoints(fitted):
    written = yaml.safe_load((fitted / "config.yaml").read_text())
    assert set(written) == {"trainer", "task"}
    assert written["trainer"]["max_epochs"] == 1
    assert written["trainer"]["max_steps"] is None
    assert written["task"]["class_path"] == "lightning_tf.tasks.ImageClassification"
    assert written["task"]["init_args"]["network"] == "linear"
    assert (fitted / "checkpoints").is_dir()


@pytest.mark.slow
def test_a_config_goes_on_where_the_run_ended(fitted, capsys):
    longer = ["--trainer.max_epochs", "3", "--ckpt_path", "last"]
    assert main(["fit", *options(fitted), *longer]) == 0
    assert (fitted / "checkpoints" / "epoch=2-step=12.ckpt").is_dir()
    assert pd.read_csv(fitted / "metrics.csv")["step"].max() == 12
    assert "val_accuracy" in capsys.readouterr().out


def test_test_and_validate_show_what_the_checkpoint_is_worth(fitted, capsys):
    from lightning_tf import Trainer
    from lightning_tf.tasks import ImageClassification

    assert main(["test", *options(fitted), "--ckpt_path", "best"]) == 0
    shown = dict(line.split() for line in capsys.readouterr().out.splitlines())
    task = ImageClassification.from_checkpoint(fitted / "checkpoints" / "epoch=0-step=4.ckpt")
    expected = Trainer(logger=False, enable_progress_bar=False).test(task)
    assert {name: float(value) for name, value in shown.items()} == pytest.approx(expected, 1e-4)
    assert main(["validate", *options(fitted), "--ckpt_path", "last"]) == 0
    assert "val_accuracy" in capsys.readouterr().out


def test_predict_writes_a_row_for_each_example(fitted, capsys):
    arguments = ["--ckpt_path", "last", "--output", "out", "--format", "csv"]
    assert main(["predict", *options(fitted), *arguments]) == 0
    (file,) = capsys.readouterr().out.split("written: ")[1:]
    table = pd.read_csv(file.strip())
    assert table.shape[0] == 269  # the digits of the test split
    probabilities = table.filter(like="prediction").to_numpy()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, rtol=1e-5)
    assert table["class"].tolist() == probabilities.argmax(axis=1).tolist()


@KERAS_SAVES
def test_export_writes_what_the_checkpoint_holds(fitted, capsys):
    import keras

    arguments = ["--ckpt_path", "best", "--output", "model", "--format", "keras"]
    assert main(["export", *options(fitted), *arguments]) == 0
    assert capsys.readouterr().out == "written: model.keras\n"
    loaded = keras.saving.load_model("model.keras")
    assert loaded.output_shape == (None, 10)
    assert main(["export", *options(fitted), *arguments]) == 2
    assert "something is there" in capsys.readouterr().err


@pytest.mark.slow
@KERAS_SAVES
def test_int8_weights_can_be_tested_and_exported(fitted, capsys):
    best = [*options(fitted), "--ckpt_path", "best"]
    assert main(["test", *best, "--quantize", "int8"]) == 0
    assert "test_accuracy" in capsys.readouterr().out
    assert main(["export", *best, "--quantize", "int8", "--output", "m", "--format", "keras"]) == 0
    assert main(["test", *options(fitted), "--quantize", "int8"]) == 2
    assert "--quantize needs --ckpt_path" in capsys.readouterr().err


def test_a_task_of_ones_own_is_found_from_the_folder_that_one_is_in(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    Path("mine_for_a_test.py").write_text(
        "from helpers.boring import BoringTask\n"
        "class Mine(BoringTask):\n"
        '    """Learns next to nothing.\n\n    Args:\n        rate: How fast.\n    """\n'
        "    def __init__(self, rate: float = 0.1):\n"
        "        super().__init__()\n"
        "        assert rate == 0.5\n"
    )
    limits = ["--trainer.max_steps", "2", *QUIET, "--trainer.logger", "false"]
    assert main(["fit", "--task", "mine_for_a_test.Mine", "--task.rate", "0.5", *limits]) == 0
    capsys.readouterr()
    assert main(["fit", "--task", "mine_for_a_test.Mine", "--help"]) == 0
    printed = capsys.readouterr().out
    assert "Learns next to nothing." in printed
    assert "--task.rate               How fast. (default: 0.1)" in printed


def test_callbacks_and_loggers_are_named_and_given_arguments(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    options = [
        *("--trainer.callbacks+=EarlyStopping", "--trainer.callbacks.monitor=val_loss"),
        *("--trainer.callbacks+=LearningRateMonitor", "--trainer.logger=JSONLinesLogger"),
    ]
    assert main(["fit", *DIGITS, *QUIET, *FEW, "--trainer.max_epochs", "1", *options]) == 0
    (folder,) = Path("runs").iterdir()
    rows = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert any("learning_rate" in name for row in rows for name in str(row).split("'"))
    written = yaml.safe_load((folder / "config.yaml").read_text())["trainer"]["callbacks"]
    kinds = [callback["class_path"].rpartition(".")[2] for callback in written]
    assert kinds == ["EarlyStopping", "LearningRateMonitor"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--trainer.max_epoch", "3"], "no option --trainer.max_epoch. Did you mean '--trainer.ma"),
        (["--epochs", "3"], "there is no option --epochs"),
        (["--task.dat", "digits"], "ImageClassification has no argument 'dat'. Did you mean 'data"),
        (["--task.data", "digit"], "data='digit' is neither a known name"),
        (["--task.batch_size", "many"], "batch_size"),
        (
            ["--trainer.max_epochs", "many"],
            "'many' cannot be used; expected int",
        ),
        (["--trainer.max_epochs", "-2"], "max_epochs is -2"),
        ([], "no limit is given"),
        (["--config", "none.yaml"], "none.yaml"),
        (["--trainer.max_epochs", "1", "--ckpt_path", "none.ckpt"], "none.ckpt"),
    ],
    ids=str,
)
def test_a_wrong_option_is_one_sentence_before_any_work(
    tmp_path, monkeypatch, capsys, arguments, message
):
    monkeypatch.chdir(tmp_path)
    assert main(["fit", *DIGITS, *QUIET, *arguments]) in (1, 2)
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("trainer: {max_epoch: 3}", "no option --trainer.max_epoch. Did you mean '--trainer.max_"),
        ("trainr: {max_epochs: 3}", "no option --trainr.max_epochs. Did you mean '--trainer.max_"),
        ("task: {init_args: {dat: digits}}", "no argument 'dat'. Did you mean 'data'?"),
    ],
    ids=str,
)
def test_a_wrong_key_of_a_config_is_named(tmp_path, monkeypatch, capsys, content, message):
    monkeypatch.chdir(tmp_path)
    Path("run.yaml").write_text(content)
    task = "" if content.startswith("task") else "ImageClassification"
    if not task:
        Path("run.yaml").write_text("task: {class_path: ImageClassification, init_args: {dat: 1}}")
    arguments = ["--config", "run.yaml", *(["--task", task] if task else [])]
    assert main(["fit", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_an_unknown_task_is_refused_with_the_nearest_one(capsys):
    assert main(["fit", "--task", "ImageClasification"]) == 2
    assert "Did you mean 'ImageClassification'?" in capsys.readouterr().err
    assert main(["fit", "--task", "ImageClasification", "--help"]) == 2
    assert "Did you mean 'ImageClassification'?" in capsys.readouterr().err


def test_print_config_prints_a_config_that_works(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["fit", *DIGITS, "--trainer.max_steps", "2", "--print_config"])
    assert ended.value.code == 0
    Path("run.yaml").write_text(capsys.readouterr().out)
    assert main(["fit", "--config", "run.yaml", *QUIET]) == 0


HEAVY = ("tensorflow", "keras", "jsonargparse", "numpy", "wandb")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["fit", "--help"],
        ["fit", "--task", "TextClassification", "--help"],
        ["report", "--help"],
        ["tasks"],
    ],
    ids=" ".join,
)
def test_help_imports_nothing_heavy(arguments):
    code = (
        "import sys\nfrom lightning_tf.cli.main import main\n"
        f"try: main({arguments})\nexcept SystemExit: pass\n"
        f"print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stderr == "[]\n"
    assert len(done.stdout.splitlines()) > 3


def test_help_ends_quietly_where_its_reader_has_seen_enough():
    command = [sys.executable, "-m", "lightning_tf", "fit", "--help"]
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, cwd=ROOT)
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_inspect_tells_what_the_data_are_without_training(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["inspect", *DIGITS, "--output", "inspected", "--max_examples", "64"]) == 0
    printed = capsys.readouterr().out
    assert "input: float32 (8, 8, 1), 0 to 16" in printed
    assert "written: inspected/examples.png" in printed
    assert sorted(path.name for path in tmp_path.iterdir()) == ["inspected"]
    assert main(["inspect", "--help"]) == 0
    assert "--ckpt_path" not in capsys.readouterr().out


def test_a_run_is_verified(fitted, capsys):
    assert main(["verify", str(fitted)]) == 0
    out = capsys.readouterr().out
    assert "trained again from the beginning of the run" in out
    assert "reproduced:" in out
    assert main(["verify", str(fitted), "--task.learning_rate", "0.1"]) == 1
    out = capsys.readouterr().out
    assert "tensors differ" in out
    assert "why it may be:" in out


def test_what_verify_needs_is_said(tmp_path, capsys):
    assert main(["verify", str(tmp_path)]) == 2
    assert "has no config.yaml" in capsys.readouterr().err
    assert main(["verify", "--from", "x"]) == 2
    assert "give the folder of a run first" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["fit", "verify"])
def test_a_command_alone_says_how_it_is_used(command, capsys):
    assert main([command]) == 2
    assert f"usage: lightning-tf {command} " in capsys.readouterr().err


@pytest.mark.slow
def test_folds_are_trained_one_by_one(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    limits = ["--trainer.max_epochs", "1", "--trainer.seed", "3"]
    assert main(["fit", *DIGITS, *QUIET, *FEW, *limits, "--folds", "2"]) == 0
    out = capsys.readouterr().out
    assert [line.split()[0] for line in out.splitlines()][:5] == ["fold", "0", "1", "mean", "std"]
    assert "written: cross_validation_0" in out
    assert (tmp_path / "cross_validation_0" / "fold_1" / "runs" / "version_0").is_dir()
    assert main(["fit", *DIGITS, "--folds", "2", "--ckpt_path", "last"]) == 2


def test_a_run_is_named_by_its_folder_alone(fitted, capsys):
    assert main(["test", str(fitted), *QUIET[2:]]) == 0
    printed = capsys.readouterr().out
    assert "checkpoint: " in printed
    assert "test_accuracy" in printed
    assert main(["test", "nowhere"]) == 2
    assert "nowhere is no folder" in capsys.readouterr().err


def test_a_lost_worker_gives_the_code_for_try_again(tmp_path, monkeypatch, capsys):
    from lightning_tf import Trainer
    from lightning_tf.exceptions import TRY_AGAIN, WorkerLostError

    def fit(self, task, **options):
        raise WorkerLostError("worker 1 is gone")

    monkeypatch.setattr(Trainer, "fit", fit)
    where = ["--trainer.default_root_dir", str(tmp_path), "--trainer.max_epochs", "1"]
    assert main(["fit", *DIGITS, *QUIET, *where]) == TRY_AGAIN == 143
    assert "lightning-tf fit: worker 1 is gone" in capsys.readouterr().err
