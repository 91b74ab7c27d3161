"""Every script runs as its docstring says, with a tiny budget, and writes what it names."""

import ast
import csv
import json
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from helpers.extras import MNIST
from helpers.paths import ROOT

SCRIPTS = sorted((ROOT / "scripts").glob("*.py"))


def run(name, *arguments, **environment):
    return run_command([ROOT / "scripts" / name, *arguments], **environment)


def run_command(arguments, **environment):
    """Run Python with these arguments and return what it printed."""
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.parametrize("name", ["slurm.sh", "tfjob.yaml", "indexed_job.yaml"])
def test_the_cluster_files_run_a_script_that_takes_their_arguments(name):
    words = re.split(r"[\s,\[\]\"]+", (ROOT / "scripts" / "cluster" / name).read_text())
    (script,) = {word for word in words if word.startswith("scripts/") and word.endswith(".py")}
    after = words[words.index(script) + 1 :]
    arguments = [word for word in after if word.startswith("--")]
    assert "--resume" in arguments
    for argument in arguments:
        assert f'"{argument}"' in (ROOT / script).read_text()


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_says_how_it_is_called(script):
    docstring = ast.get_docstring(ast.parse(script.read_text()))
    assert f"python scripts/{script.name}" in docstring


@pytest.mark.slow
def test_the_demo_learns_and_names_files_that_are_there(tmp_path):
    printed = run("image_classification.py", "--epochs", 4, "--output", tmp_path)
    (accuracy,) = re.findall(r"^accuracy +[\d.]+ +[\d.]+ +([\d.]+)$", printed, re.MULTILINE)
    assert float(accuracy) > 0.9
    written = [Path(line.strip()) for line in printed.split("written:\n")[1].splitlines()]
    assert all(path.exists() for path in written)
    names = {re.sub(r"_\d{8}", "", path.name) for path in written}
    assert names >= {
        "metrics.csv",
        "curves.png",
        "hparams.json",
        "test_confusion_matrix.png",
        "test_confusion_matrix.csv",
        "test_predictions.png",
    }
    assert any(path.is_dir() and (path / "state.safetensors").exists() for path in written)


@pytest.mark.slow
def test_the_demo_goes_on_where_a_run_ended(tmp_path):
    for epochs in (1, 2):  # the first finds nothing to go on with, and begins
        run("image_classification.py", "--resume", "--epochs", epochs, "--output", tmp_path)
    (folder,) = (tmp_path / "runs").iterdir()
    with (folder / "metrics.csv").open(newline="") as file:
        epochs = [row["epoch"] for row in csv.DictReader(file) if row["train/loss_epoch"]]
    assert epochs == ["0", "1"]


@pytest.mark.slow
def test_the_text_script_learns_a_table_and_names_its_mistakes(tmp_path):
    import pandas as pd
    from helpers.texts import texts

    for name, seed in (("train", 0), ("test", 1)):
        x, y = texts(192, seed=seed)
        pd.DataFrame({"text": x, "label": y}).to_csv(tmp_path / f"{name}.csv", index=False)
    printed = run(
        "text_classification.py",
        *("--data", tmp_path / "train.csv", "--test", tmp_path / "test.csv"),
        *("--learning-rate", 0.02, "--output", tmp_path, "--export", tmp_path / "model"),
    )
    (accuracy,) = re.findall(r"^accuracy .* test ([\d.]+)$", printed, re.MULTILINE)
    assert float(accuracy) > 0.9
    written = [Path(path) for path in re.findall(r"^written: (.*)$", printed, re.MULTILINE)]
    assert len(written) == 2
    assert all(path.exists() for path in written)
    assert (tmp_path / "model" / "saved_model.pb").exists()


@pytest.mark.slow
def test_the_forecast_script_compares_exports_and_draws(tmp_path):
    import pandas as pd

    days = np.arange(200)
    table = pd.DataFrame({"day": days, "sold": np.sin(days / 3), "noise": 0.0})
    table.to_csv(tmp_path / "sales.csv", index=False)
    printed = run(
        "time_series_forecast.py",
        *("--data", tmp_path / "sales.csv", "--time", "day", "--target", "sold"),
        *("--network", "mlp", "--history", 20, "--horizon", 4, "--season", 19, "--folds", 2),
        *("--quantiles", 0.1, 0.5, 0.9, "--epochs", 20, "--output", tmp_path),
    )
    errors = dict(re.findall(r"^(mlp|naive) +rmse ([\d.]+)", printed, re.MULTILINE))
    assert float(errors["mlp"]) < 0.5 * float(errors["naive"])
    assert len(re.findall(r"^from .* windows  rmse", printed, re.MULTILINE)) == 2
    written = [Path(path) for path in re.findall(r"^written: (.*)$", printed, re.MULTILINE)]
    assert len(written) == 2
    assert all(path.exists() for path in written)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "arguments", "bound"),
    [
        ("regression.py", ("--data", "diabetes", "--units", 8), ("r2", 0.3)),
        ("tabular_classification.py", ("--data", "wine", "--units", 8), ("accuracy", 0.9)),
    ],
    ids=["regression", "classification"],
)
def test_the_scripts_for_tables_learn_one_and_draw(tmp_path, script, arguments, bound):
    name, least = bound
    options = ("--epochs", 20, "--output", tmp_path, "--export", tmp_path / "model")
    printed = run(script, *arguments, *options)
    (metric,) = re.findall(rf"^{name} .* test ([\d.]+)$", printed, re.MULTILINE)
    assert float(metric) > least
    written = [Path(path) for path in re.findall(r"^written: (.*)$", printed, re.MULTILINE)]
    assert written
    assert all(path.exists() for path in written)
    assert (tmp_path / "model" / "saved_model.pb").exists()


@pytest.mark.slow
def test_the_gan_script_prints_its_quality_and_writes_a_grid_and_a_film(tmp_path):
    small = ("--epochs", 2, "--quality-every", 1, "--classifier-epochs", 1, "--width", 8)
    printed = run("gan.py", *small, "--output", tmp_path)
    rows = re.findall(r"^ +[01] +([\d.]+) +-?[\d.]+ +[\d.]+ +-?[\d.]+ +\d+", printed, re.MULTILINE)
    assert len(rows) == 2
    assert all(float(fid) > 0 for fid in rows)
    written = [Path(path) for path in re.findall(r"^written: (.*)$", printed, re.MULTILINE)]
    assert [path.suffix for path in written] == [".png", ".gif"]
    assert all(path.exists() for path in written)


@pytest.fixture
def few_images(tmp_path):
    """A folder with train and test images of two classes, bright in the upper or lower half."""
    from PIL import Image

    random = np.random.default_rng(0)
    for split, count in (("train", 24), ("test", 6)):
        for label, name in enumerate(("above", "below")):
            (tmp_path / split / name).mkdir(parents=True)
            for index in range(count):
                image = random.integers(0, 100, (32, 32, 3))
                image[16 * label : 16 + 16 * label] += 150
                file = tmp_path / split / name / f"{index}.png"
                Image.fromarray(image.astype("uint8")).save(file)
    return tmp_path


@pytest.fixture
def weights_file(tmp_path):
    import keras

    network = keras.applications.MobileNetV2(
        include_top=False, weights=None, input_shape=(32, 32, 3)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Keras' own saving
        network.save_weights(tmp_path / "mobilenet.weights.h5")
    return tmp_path / "mobilenet.weights.h5"


@pytest.mark.slow
@pytest.mark.parametrize(
    "phases",
    [
        [],
        ["--fine-tune-epochs", 1, "--augmentation", "flip"],
    ],
)
def test_transfer_learning_writes_a_model_and_heat_maps(few_images, weights_file, phases, tmp_path):
    out = tmp_path / "out"
    arguments = ("--weights", weights_file, "--image-size", 32, "--epochs", 1, "--output", out)
    printed = run("transfer_learning.py", few_images, *arguments, *phases)
    assert "'test_accuracy'" in printed
    (version,) = (out / "runs").iterdir()
    assert (version / "exported" / "saved_model.pb").exists()
    names = {path.name.rpartition("_")[0] for path in (version / "figures").iterdir()}
    assert names >= {"test_heat_maps", "test_predictions", "val_heat_maps"}


@pytest.mark.slow
@MNIST
def test_object_detection_measures_and_marks_what_it_finds(few_images, tmp_path):
    out = tmp_path / "out"
    arguments = ("--epochs", 1, "--predict", few_images, "--output", out)
    printed = run("object_detection.py", "digits", *arguments)
    assert "'test_map_50'" in printed
    written = [Path(line) for line in printed.splitlines() if Path(line).is_file()]
    assert {"detections.json", *(path.suffix for path in written)} >= {".json"}
    assert any(path.suffix == ".png" or path.suffix == ".jpg" for path in written)


@pytest.mark.slow
def test_overfitting_draws_both_runs(few_images):
    out = few_images / "out"
    printed = run("overfitting.py", few_images, "--image-size", 16, "--epochs", 2, "--output", out)
    assert printed.count("'test_accuracy'") == 2
    assert (out / "overfitting.png").stat().st_size > 5000


@pytest.fixture
def small_cifar10(tmp_path):
    """A cifar10.npz with 40 training and 20 test images of noise."""
    random = np.random.default_rng(0)
    arrays = {}
    for split, count in (("train", 40), ("test", 20)):
        arrays[f"x_{split}"] = random.integers(0, 256, (count, 32, 32, 3)).astype("uint8")
        arrays[f"y_{split}"] = np.arange(count) % 10
    np.savez(tmp_path / "cifar10.npz", **arrays)
    return tmp_path


@pytest.mark.slow
def test_the_ladder_writes_its_rows_and_leaves_those_that_are_done(small_cifar10):
    out = small_cifar10 / "out"
    out.mkdir()
    done = {"name": "logistic", "weights": 3073, "steps": 2, "seconds": 1, "accuracy": 0.5}
    (out / "results.jsonl").write_text(json.dumps({**done, "target": 0.82}) + "\n")
    printed = run(
        "cifar10_ladder.py",
        *("--steps", 2, "--data-dir", small_cifar10, "--output", out),
        *("--only", "logistic", "linear"),
    )
    assert "--- logistic" not in printed
    assert "--- linear" in printed
    rows = [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]
    assert [row["name"] for row in rows] == ["logistic", "linear"]
    assert (rows[1]["weights"], rows[1]["steps"]) == (30730, 2)
    table = (out / "cifar10_ladder.md").read_text()
    assert table in printed
    assert "| logistic | 3,073 | 2 | 0.5000 | 0.82 |" in table
    assert len(table.splitlines()) == 4
    assert (out / "cifar10_ladder.png").stat().st_size > 5000


def test_every_row_of_the_ladder_can_be_made():
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        import cifar10_ladder
    finally:
        sys.path.pop(0)

    names = [row.name for row in cifar10_ladder.ROWS]
    assert len(set(names)) == len(names)
    for row in cifar10_ladder.ROWS:
        cifar10_ladder.make_task(row, "digits")


@pytest.mark.slow
@pytest.mark.parametrize("method", ["optimize", "fast"])
def test_style_transfer_writes_an_image(few_images, method):
    out = few_images / "out"
    image = few_images / "train" / "above" / "0.png"
    sizes = ("--image-size", 32, "--steps", 2, "--weights", "random", "--output", out)
    options = ("--photos", few_images / "train", "--filters", 4) if method == "fast" else ()
    target = out / "painted.png"
    arguments = (image, image, "--method", method, "--out", target)
    printed = run("style_transfer.py", *arguments, *sizes, *options)
    assert f"written: {target}" in printed
    assert "style_loss" in printed
    assert target.stat().st_size > 500


@pytest.mark.distributed
@pytest.mark.slow
@pytest.mark.parametrize("name", ["gan.py", "style_transfer.py"])
def test_two_workers_run_a_generative_script_and_write_once(few_images, tmp_path, name):
    """Both workers once wrote, and the second looked for a folder of its own."""
    launch = ["-m", "lightning_tf", "launch", "--workers", 2, "--log-dir", tmp_path / "logs", "--"]
    launch.append(ROOT / "scripts" / name)
    arguments = ["--output", tmp_path / "out", "--epochs", 2, "--classifier-epochs", 1]
    arguments += ["--quality-every", 1]
    if name == "style_transfer.py":
        one, other = sorted((few_images / "train").rglob("*.png"))[:2]
        arguments = [one, other, "--weights", "random", "--image-size", 32, "--steps", 4]
        arguments += ["--output", tmp_path / "out", "--out", tmp_path / "painted.png"]
    printed = run_command([*launch, *arguments])
    written = re.findall(r"written: (.+)", printed)
    assert len(written) == len(set(written)) > 0
    assert all(Path(path).is_file() for path in written)
    assert os.listdir(tmp_path / "out" / "runs") == ["version_0"]


def small_arguments(name, images):
    """Return arguments that make a script's work small, with data in a folder."""
    import pandas as pd
    from helpers.texts import texts

    if name == "text_classification.py":
        x, y = texts(64, seed=0)
        pd.DataFrame({"text": x, "label": y}).to_csv(images / "texts.csv", index=False)
        tables = ["--data", images / "texts.csv", "--test", images / "texts.csv"]
        return [*tables, "--export", images / "model"]
    if name == "time_series_forecast.py":
        pd.DataFrame({"sold": np.sin(np.arange(100) / 3)}).to_csv(images / "sold.csv")
        table = ["--data", images / "sold.csv", "--target", "sold", "--network", "mlp"]
        return [*table, "--history", 20, "--season", 19, "--folds", 2]
    if name == "transfer_learning.py":
        return [images, "--weights", "random", "--image-size", 32]
    return []


@pytest.mark.distributed
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("text_classification.py", "accuracy +train"),
        ("time_series_forecast.py", "linear +rmse"),
        ("transfer_learning.py", "'test_accuracy'"),
        ("keras_task.py", "written:"),
    ],
)
def test_two_workers_run_a_script_that_prints_once(few_images, name, line):
    launch = [
        "-m",
        "lightning_tf",
        "launch",
        "--workers",
        2,
        "--log-dir",
        few_images / "logs",
        "--",
    ]
    launch.append(ROOT / "scripts" / name)
    out = few_images / "out"
    arguments = [*small_arguments(name, few_images), "--epochs", 1, "--output", out]
    printed = run_command([*launch, *arguments])
    assert len(re.findall(line, printed)) == 1, printed
    assert os.listdir(out / "runs") == ["version_0"]


@pytest.mark.slow
def test_tuning_ends_bad_trials_early(tmp_path):
    printed = run("tune.py", "--trials", 6, "--epochs", 3, "--output", tmp_path)
    assert re.search(r"^6 trials: .*[1-5] pruned.*; \d+ epochs$", printed, re.MULTILINE)
    (best,) = re.findall(r"^best: trial \d, val_accuracy ([\d.]+)", printed, re.MULTILINE)
    assert float(best) > 0.9


@pytest.mark.slow
def test_a_compiled_model_moves_over_and_learns(tmp_path):
    printed = run("keras_task.py", "--epochs", 6, "--output", tmp_path)
    (accuracy,) = re.findall(r"^accuracy ([\d.]+)$", printed, re.MULTILINE)
    assert float(accuracy) > 0.9
    assert (tmp_path / "runs/version_0/metrics.csv").exists()
