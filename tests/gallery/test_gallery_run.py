import csv
import shutil

import pytest
from helpers.stand_in_experiment import add_experiment

from lightning_tf.exceptions import DataError
from lightning_tf.gallery.gallery_run import GalleryRun


def table(folder):
    with (folder / "results.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def drawing(value):
    """Return the `run` of an experiment that writes an image and reaches a value."""

    def run(folder, *, full, data_dir):
        (folder / "drawn <1>.png").write_bytes(b"")
        (folder / "notes.txt").write_text("no image")
        return {"accuracy": value + full, "loss": 0.25}

    return run


def test_a_run_writes_its_figures_and_seconds_into_the_table(tmp_path, monkeypatch):
    add_experiment(monkeypatch, "first", drawing(0.5))
    outcome = GalleryRun(tmp_path).run("first")

    assert outcome.figures == {"accuracy": 0.5, "loss": 0.25}
    assert outcome.folder == tmp_path / "first"
    first = {"experiment": "first", "figure": "accuracy", "value": "0.5", "seconds": "0"}
    assert table(tmp_path)[0] == first | {"full": "false"}
    assert [row["figure"] for row in table(tmp_path)] == ["accuracy", "loss"]


def test_the_page_shows_command_figures_and_images_escaped(tmp_path, monkeypatch):
    add_experiment(monkeypatch, "first", drawing(0.5))
    run = GalleryRun(tmp_path, full=True)
    run.run("first")

    page = run.page.read_text()
    assert "<code>lightning-tf gallery first --full</code>" in page
    assert "<li>accuracy: 1.5</li>" in page
    assert 'src="first/drawn &lt;1&gt;.png"' in page
    assert "notes.txt" not in page


def test_the_rows_of_another_run_are_kept_and_its_own_are_replaced(tmp_path, monkeypatch):
    add_experiment(monkeypatch, "first", drawing(0.5))
    add_experiment(monkeypatch, "second", drawing(0.6))
    GalleryRun(tmp_path).run("second")
    GalleryRun(tmp_path).run("first")
    add_experiment(monkeypatch, "second", drawing(0.7))
    run = GalleryRun(tmp_path)
    run.run("second")

    values = [(row["experiment"], row["value"]) for row in table(tmp_path)]
    assert values == [("first", "0.5"), ("first", "0.25"), ("second", "0.7"), ("second", "0.25")]
    assert run.page.read_text().count("<h2>") == 2


def test_rows_of_what_is_no_experiment_any_more_are_left_out(tmp_path, monkeypatch):
    add_experiment(monkeypatch, "first", drawing(0.5))
    header = "experiment,figure,value,seconds,full\n"
    (tmp_path / "results.csv").write_text(f"{header}gone,accuracy,1,3,false\n")
    GalleryRun(tmp_path).run("first")
    assert {row["experiment"] for row in table(tmp_path)} == {"first"}


def test_an_experiment_that_lacks_data_leaves_the_table_as_it_was(tmp_path, monkeypatch):
    def lacking(folder, *, full, data_dir):
        raise DataError(f"{data_dir}/photos is not there.")

    add_experiment(monkeypatch, "first", drawing(0.5))
    add_experiment(monkeypatch, "lacking", lacking)
    run = GalleryRun(tmp_path, data_dir="data")
    run.run("first")
    before = table(tmp_path), run.page.read_text()
    with pytest.raises(DataError, match="data/photos is not there"):
        run.run("lacking")
    assert (table(tmp_path), run.page.read_text()) == before


def test_a_folder_that_was_deleted_leaves_the_table_with_its_rows(tmp_path, monkeypatch):
    add_experiment(monkeypatch, "first", drawing(0.5))
    add_experiment(monkeypatch, "second", drawing(0.6))
    GalleryRun(tmp_path).run("first")
    shutil.rmtree(tmp_path / "first")
    GalleryRun(tmp_path).run("second")
    assert {row["experiment"] for row in table(tmp_path)} == {"second"}
    assert not (tmp_path / "results.csv.new").exists()
