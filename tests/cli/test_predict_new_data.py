"""`lightning-tf predict RUN --data` labels new data, without those that the run had."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.datasets import load_digits, load_wine

from lightning_tf.cli.main import main

QUIET = ["--trainer.enable_progress_bar", "false", "--trainer.enable_model_summary", "false"]
FEW = ["--trainer.limit_train_batches", "4", "--trainer.max_epochs", "1", "--trainer.seed", "3"]


def fit(task, *options):
    assert main(["fit", "--task", task, *options, *QUIET, *FEW]) == 0
    return "runs/version_0"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a run of digits, and files of new ones."""
    before, root = Path.cwd(), tmp_path_factory.mktemp("labeled")
    os.chdir(root)
    try:
        fit("ImageClassification", "--task.data", "digits", "--task.network", "linear")
        for index, image in enumerate(load_digits().images[:4]):
            file = root / "new" / f"{index}, ü/1.png"
            file.parent.mkdir(parents=True)
            Image.fromarray(np.round(image * 255 / 16).astype("uint8")).save(file)
    finally:
        os.chdir(before)
    return root


@pytest.fixture
def run(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    capsys.readouterr()
    return "runs/version_0"


def predict(capsys, *arguments):
    """Return exit code, the lines that were printed and the error."""
    code = main(["predict", *map(str, arguments)])
    said = capsys.readouterr()
    return code, said.out.splitlines(), said.err


def read_lines(file):
    return pd.DataFrame(map(json.loads, Path(file).read_text("utf-8").splitlines()))


def files(lines):
    return [line.partition(": ")[2] for line in lines[1:]]


def test_a_folder_is_labeled_into_the_runs_folder(run, capsys):
    code, lines, _ = predict(capsys, run, "--data", "new")
    assert code == 0
    assert lines[0].startswith("checkpoint: runs/version_0/checkpoints/epoch=0")
    assert files(lines) == ["runs/version_0/predictions/predictions.csv"]
    table = pd.read_csv(files(lines)[0])
    assert table["file"].tolist() == [f"{i}, ü/1.png" for i in range(4)]
    assert list(table)[1:4] == ["label", "class", "probability"]
    assert predict(capsys, run, "--data", "new")[1][1].startswith("replaced: ")


def test_formats_hold_the_same_and_images_come_on_a_sheet(run, capsys):
    tables = {}
    for kind, read in (
        ("csv", pd.read_csv),
        ("jsonl", read_lines),
        ("parquet", pd.read_parquet),
    ):
        given = ["--data", "new", "--format", kind, "--output", "out", "--save_images", "true"]
        _, lines, _ = predict(capsys, run, *given)
        assert files(lines) == [f"out/predictions.{kind}", "out/predictions.png"]
        tables[kind] = read(files(lines)[0])
    assert tables["csv"]["file"].tolist() == tables["parquet"]["file"].tolist()
    for kind in ("jsonl", "parquet"):
        np.testing.assert_array_equal(tables[kind]["class"], tables["csv"]["class"])
        np.testing.assert_allclose(tables[kind]["probability"], tables["csv"]["probability"])
    with np.load(files(predict(capsys, run, "--data", "new", "--format", "npz")[1])[0]) as arrays:
        assert arrays["class"].tolist() == tables["csv"]["class"].tolist()


def test_heat_maps_come_on_the_sheet(run, capsys):
    given = ["--data", "new", "--output", "out"]
    _, lines, _ = predict(capsys, run, *given, "--save_images", "true")
    plain = Path(files(lines)[1]).read_bytes()
    _, lines, _ = predict(capsys, run, *given, "--heat_maps", "occlusion")
    assert files(lines)[1] == "out/predictions.png"
    assert Path(files(lines)[1]).read_bytes() != plain
    code, _, error = predict(capsys, run, *given, "--heat_maps", "grad_cam")
    assert code != 0
    assert "'occlusion' goes with every network" in error
    assert "--heat_maps goes with --data" in predict(capsys, run, "--heat_maps", "occlusion")[2]


def test_the_run_may_be_named_by_its_file_and_the_checkpoint_by_a_word_or_path(run, capsys):
    _, lines, _ = predict(capsys, run, "--data", "new")
    first = pd.read_csv(files(lines)[0])
    checkpoint = lines[0].partition(": ")[2]
    for path in ("best", "last", checkpoint):
        config = ["--config", f"{run}/config.yaml", "--ckpt_path", path]
        code, lines, _ = predict(capsys, *config, "--data", "new/0, ü/1.png", "--output", "out")
        assert code == 0
        assert pd.read_csv(files(lines)[0])["class"].tolist() == first["class"].tolist()[:1]
    direct = ["--task", "ImageClassification", "--ckpt_path", checkpoint, "--data", "new"]
    assert files(predict(capsys, *direct)[1]) == ["predictions/predictions.csv"]


def test_a_run_that_was_moved_labels_as_before(run, capsys):
    first = pd.read_csv(files(predict(capsys, run, "--data", "new")[1])[0])
    shutil.move("runs", "elsewhere")
    _, lines, _ = predict(capsys, "elsewhere/version_0", "--data", "new", "--ckpt_path", "best")
    assert "elsewhere" in lines[0]
    assert pd.read_csv(files(lines)[0]).equals(first)


def test_without_new_data_the_test_split_is_predicted_with_its_labels(run, capsys):
    code, lines, _ = predict(capsys, run, "--format", "csv", *QUIET)
    assert code == 0
    table = pd.read_csv(files(lines)[0])
    assert files(lines) == [f"{run}/predictions/predictions.csv"]
    assert len(table) == 269
    assert table["class"].tolist() == table.filter(like="prediction").to_numpy().argmax(1).tolist()
    assert table["label"].tolist() == table["class"].tolist()  # digits are named by themselves


def test_options_of_reading_are_given_as_a_dict(run, capsys):
    table = pd.DataFrame({"path": ["new/0, ü/1.png", "new/1, ü/1.png"]})
    table.to_csv("table.csv", index=False)
    given = [
        "--data",
        "table.csv",
        "--data_options",
        '{"file_column": "path"}',
        "--batch_size",
        "1",
    ]
    code, lines, _ = predict(capsys, run, *given)
    assert code == 0
    assert pd.read_csv(files(lines)[0])["file"].tolist() == table["path"].tolist()
    Path("new/broken.png").write_bytes(b"none")
    error = predict(capsys, run, "--data", "new")[2]
    assert "broken.png" in error
    assert """Here: --data_options '{"broken": ...}'""" in error
    assert predict(capsys, run, "--data", "new", "--data_options", '{"broken": "skip"}')[0] == 0


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--data", "nowhere"], 1, "nowhere is no file and no folder"),
        (["--data", "new", "--format", "xls"], 2, "--format xls"),
        (["--data", "new", "--trainer.seed", "3"], 2, "--trainer.seed: --data is labeled by"),
        (["--data", "new", "--task.network", "mlp"], 2, "leave the option out"),
        (["--data", "new", "--data_options", '{"brokn": "skip"}'], 2, "no option 'brokn'"),
        (["--data_options", '{"broken": "skip"}'], 2, "--data_options goes with --data"),
        (["--data", "new", "--ckpt_path", "nowhere.ckpt"], 1, "nowhere.ckpt"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(run, capsys, arguments, code, said):
    found, _, error = predict(capsys, run, *arguments)
    assert (found, error.count("\n")) == (code, 1)
    assert said in error


def test_a_folder_that_is_no_run_and_a_task_without_a_checkpoint_are_refused(run, capsys):
    code, _, error = predict(capsys, "new", "--data", "new")
    assert code == 2
    assert "new has no config.yaml" in error
    code, _, error = predict(capsys, "runs/none", "--data", "new")
    assert (code, "runs/none is no folder; give that of a run" in error) == (2, True)
    code, _, error = predict(capsys, "--task", "ImageClassification", "--data", "new")
    assert code == 2
    assert "give the folder of a run first, or --ckpt_path" in error


def test_a_table_is_labeled_by_a_run_whose_own_table_is_gone(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    wine = load_wine(as_frame=True).frame
    wine.to_csv("wine.csv", index=False)
    run = fit("TabularClassification", "--task.data", "wine.csv", "--task.target", "target")
    wine.drop(columns="target").head(3).to_csv("new.csv", index=False, sep=";")
    os.remove("wine.csv")
    capsys.readouterr()
    code, lines, error = predict(capsys, run, "--data", "new.csv", "--data_options", '{"sep": ";"}')
    assert code == 0, error
    assert pd.read_csv(files(lines)[0])["row"].tolist() == [0, 1, 2]

    odd = wine.drop(columns="target").head(3)
    odd.loc[1, "alcohol"] = np.nan
    odd.to_csv("odd.csv", index=False)
    code, _, error = predict(capsys, run, "--data", "odd.csv")
    assert code == 1
    assert "alcohol of row 1 is nan" in error
    for options, rows in (('{"missing": "drop"}', [0, 2]), ('{"missing": 13.0}', [0, 1, 2])):
        code, lines, error = predict(capsys, run, "--data", "odd.csv", "--data_options", options)
        assert code == 0, error
        assert pd.read_csv(files(lines)[0])["row"].tolist() == rows


def test_lines_of_a_file_are_texts(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    texts = pd.DataFrame(
        {"text": ["good fine"] * 20 + ["bad poor"] * 20, "label": [1] * 20 + [0] * 20}
    )
    texts.to_csv("texts.csv", index=False)
    run = fit("TextClassification", "--task.data", "texts.csv")
    Path("new.txt").write_text("good, fine\nbad\n")
    capsys.readouterr()
    code, lines, error = predict(capsys, run, "--data", "new.txt", "--save_images", "true")
    assert code == 2
    assert "TextClassification has nothing to draw in images" in error
    code, lines, error = predict(capsys, run, "--data", "new.txt")
    assert code == 0, error
    assert pd.read_csv(files(lines)[0])["text"].tolist() == ["good, fine", "bad"]
    assert not Path(run, "predictions", "explanations.html").exists()

    code, lines, error = predict(capsys, run, "--data", "new.txt", "--explain", "true")
    assert code == 0, error
    page = Path(files(lines)[1]).read_text("utf-8")
    assert page.count("<p style=") == 2
    assert "bad</span>" in page
    assert page.index("row 0") < page.index("row 1") < page.index("bad</span>")
    code, _, error = predict(capsys, run, "--explain", "true")
    assert code == 2
    assert "--explain goes with --data" in error


def test_what_has_no_words_is_not_explained(run, capsys):
    code, _, error = predict(capsys, run, "--data", "new", "--explain", "true")
    assert code == 2
    assert "ImageClassification has no texts whose words" in error
