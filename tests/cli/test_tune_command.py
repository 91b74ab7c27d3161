"""`lightning-tf tune` fits again and again with other values of options."""

import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

from lightning_tf.cli.main import main

pytest.importorskip("optuna", reason="pip install 'lightning-tf[tune]'")

DIGITS = ["--task", "ImageClassification", "--data", "digits", "--network", "linear"]
FEW = ["--limit_train_batches", "4", "--limit_val_batches", "2", "--max_epochs", "1"]
SMALL = [*DIGITS, *FEW, "--enable_checkpointing", "false", "--logger", "false"]
JUDGED = ["--monitor", "val_accuracy", "--mode", "max"]
RATES = ["--search.learning_rate", "0.001..1.0 log 2 points"]


@pytest.fixture(autouse=True)
def in_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_the_best_trial_is_told_with_the_command_that_fits_it(capsys):
    assert main(["tune", *SMALL, *RATES, "--method", "grid", *JUDGED]) == 0
    said = capsys.readouterr().out
    table = pd.read_csv("tune_0/trials.csv").sort_values("val_accuracy")
    best = table.iloc[-1]
    assert sorted(table["task.learning_rate"]) == [0.001, 1.0]
    assert "2 trials: 2 complete; 2 epochs" in said
    assert f"best: trial {best['trial']}, val_accuracy {best['val_accuracy']:.5g}: " in said
    assert said.endswith("fit it: lightning-tf fit --config tune_0/best.yaml\n")

    config = yaml.safe_load(Path("tune_0/best.yaml").read_text())
    assert set(config) == {"trainer", "task"}
    assert config["task"]["init_args"]["learning_rate"] == best["task.learning_rate"]
    assert config["trainer"]["enable_progress_bar"] is True
    quiet = ["--enable_progress_bar", "false", "--enable_model_summary", "false"]
    assert main(["fit", "--config", "tune_0/best.yaml", *quiet]) == 0


def test_the_ranges_of_a_file_may_be_nested_and_those_of_the_call_replace_them():
    config = {
        "task": {"class_path": "ImageClassification", "init_args": {"network": "linear"}},
        "search": {"task": {"learning_rate": "0.01..0.1 2 points", "batch_size": [16, 64]}},
        "method": "grid",
        "monitor": "val_loss",
    }
    Path("tune.yaml").write_text(yaml.safe_dump(config))
    call = ["--config", "tune.yaml", *FEW, "--search.task.batch_size", "32,48", "--output", "out"]
    assert main(["tune", *call, "--logger", "false", "--enable_checkpointing", "false"]) == 0
    table = pd.read_csv("out/trials.csv")
    assert set(table["task.batch_size"]) == {32, 48}
    assert set(table["task.learning_rate"]) == {0.01, 0.1}


def test_a_monitor_after_a_callback_is_the_callbacks():
    stop = ["--callbacks", "EarlyStopping", "--monitor", "val_loss"]
    search = ["--method", "grid", "--output", "out"]
    assert main(["tune", *JUDGED, *SMALL, *RATES, *search, *stop]) == 0
    assert "val_accuracy" in pd.read_csv("out/trials.csv").columns


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--search.learning_rat", "0.1..0.2"], "Did you mean 'learning_rate'"),
        (["--search.task.learning_rat", "0.1..0.2"], "Did you mean 'learning_rate'"),
        (["--search.trainer.max_epoch", "1..3"], "--trainer.max_epochs"),
        (["--search.batch_size", "a,b"], "--search.task.batch_size=a,b: "),
        (["--search.learning_rate", "0.2..0.1"], "the second bound must be above the first"),
        (["--search.learning_rate"], "needs a range or choices"),
        ([], "give something to search"),
        ([*RATES, "--trials", "0"], "--trials 0: give at least 1"),
        ([*RATES, "--method", "gird"], "Did you mean 'grid'"),
        ([*RATES, "--method", "random"], "needs trials"),
        ([*RATES, "--mode", "best"], "mode is 'best'"),
        (["--search.learning_rate", "0.1..0.2", "--method", "grid"], "number of points"),
        ([*RATES, "--default_root_dir", "runs"], "--default_root_dir: each trial has a folder"),
        ([*RATES, "--trainer.default_root_dir=runs"], "use --output FOLDER"),
        (["--search.default_root_dir", "a,b"], "no option of the task or of the Trainer"),
        (["--search.monitor", "loss,val_loss"], "--search.monitor: no option of the task"),
        (["--search.network", "mlp,nosuch"], "--search.task.network=mlp,nosuch: "),
    ],
)
def test_what_cannot_be_is_refused_before_work(words, reason, capsys, tmp_path):
    assert main(["tune", *SMALL, *JUDGED, *words]) == 2
    said = capsys.readouterr().err
    assert said.startswith("lightning-tf tune: ")
    assert reason in said
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "reason"),
    [([], "--monitor is missing"), (["--monitor", "val_accuracy"], "--mode is missing")],
)
def test_what_is_missing_is_named(words, reason, capsys):
    assert main(["tune", *SMALL, *RATES, "--trials", "1", *words]) == 2
    assert reason in capsys.readouterr().err


def test_a_monitor_that_nothing_logs_is_refused_before_a_step(capsys):
    wrong = ["--monitor", "val_acuracy", "--mode", "max", "--trials", "3"]
    assert main(["tune", *SMALL, *RATES, *wrong]) == 2
    assert "Did you mean 'val_accuracy'" in capsys.readouterr().err


def test_where_every_trial_fails_the_exit_code_says_so(capsys):
    rates = ["--search.learning_rate", "1.0e+38,2.0e+38", "--network", "mlp", "--method", "grid"]
    assert main(["tune", *SMALL, *rates, *JUDGED, "--output", "out"]) == 1
    said = capsys.readouterr()
    assert "2 trials: 2 failed" in said.out
    assert "no trial came to its end" in said.err
    assert pd.read_csv("out/trials.csv")["reason"].str.startswith("NonFiniteLossError").all()


@pytest.mark.parametrize(("data", "code"), [("nowhere", 2), ("empty", 1)])
def test_what_is_wrong_with_the_data_has_the_exit_code_of_fit(data, code, capsys):
    Path("empty").mkdir()
    words = ["--task", "ImageClassification", "--data", data, *FEW]
    assert main(["fit", *words]) == code
    assert main(["tune", *words, *RATES, *JUDGED, "--method", "grid", "--output", "out"]) == code
    assert "lightning-tf tune: " in capsys.readouterr().err


def test_a_storage_goes_on_with_the_same_training_alone(capsys):
    where = ["--storage", "sqlite:///study.db", "--method", "random", "--trials", "1"]
    call = ["tune", *SMALL, "--search.learning_rate", "0.1..0.5", *JUDGED, *where]
    assert main(call) == 0
    assert main([*call, "--seed", "1", "--enable_progress_bar", "false"]) == 0
    assert "2 trials: 2 complete" in capsys.readouterr().out
    assert main([*call, "--max_epochs", "2"]) == 2
    said = capsys.readouterr().err
    assert "holds another search: there max_epochs: 1, here max_epochs: 2; give" in said


def test_without_optuna_the_extra_is_named(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert main(["tune", *SMALL, *RATES, *JUDGED, "--trials", "1"]) == 2
    assert "pip install 'lightning-tf[tune]'" in capsys.readouterr().err


def test_help_lists_the_options(capsys):
    assert main(["tune", "--help"]) == 0
    said = capsys.readouterr().out
    assert "--search.OPTION RANGE" in said
    assert "--ckpt_path" not in said
