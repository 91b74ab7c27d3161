import subprocess
import sys

from helpers.paths import ROOT
from helpers.stand_in_experiment import add_experiment

from lightning_tf.cli.main import main
from lightning_tf.exceptions import DataError
from lightning_tf.gallery.experiments import EXPERIMENTS


def reaching(value):
    def run(folder, *, full, data_dir):
        (folder / "image.png").write_bytes(b"")
        return {"accuracy": value, "full": full, "has data": data_dir is not None}

    return run


def lacking(folder, *, full, data_dir):
    raise DataError(f"{data_dir}/photos is not there.")


def test_the_list_has_every_experiment_by_chapter_and_imports_no_tensorflow():
    code = (
        "import sys; from lightning_tf.cli.main import main; code = main(['gallery']); "
        "assert not {'tensorflow', 'keras', 'matplotlib', 'numpy'} & set(sys.modules); "
        "sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    listed = [line.split()[0] for line in done.stdout.splitlines() if line.startswith("  ")]
    assert listed == list(EXPERIMENTS)
    headings = [line for line in done.stdout.splitlines() if line and not line.startswith("  ")]
    chapters = dict.fromkeys(experiment.chapter for experiment in EXPERIMENTS.values())
    assert headings[:-1] == list(chapters)


def test_an_unknown_name_is_refused_with_the_nearest_one_before_anything_runs(tmp_path, capsys):
    assert main(["gallery", "playground", "perceptrn", "--output", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert "there is no experiment 'perceptrn'. Did you mean perceptron?" in said
    assert "TensorFlow" not in said
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_is_refused_before_anything_runs(tmp_path, capsys):
    (tmp_path / "file").touch()
    for words, reason in (
        (["all", "nonsense"], "'nonsense'"),
        (["perceptron", "--output", str(tmp_path / "file")], "--output"),
    ):
        assert main(["gallery", *words]) == 2
        assert reason in capsys.readouterr().err


def test_an_experiment_runs_into_the_folder_that_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("LIGHTNING_TF_DATA", raising=False)
    add_experiment(monkeypatch, "first", reaching(0.5))
    assert main(["gallery", "first", "--output", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert "first: accuracy 0.5, full 0, has data 0 (0 s)" in said
    assert f"table and images: {tmp_path}/out/index.html" in said
    assert (tmp_path / "out" / "first" / "image.png").exists()


def test_the_data_and_the_time_that_are_asked_for_reach_the_experiment(
    tmp_path, monkeypatch, capsys
):
    add_experiment(monkeypatch, "first", reaching(0.5))
    options = ["--full", "--data_dir", "photos", "--output", str(tmp_path)]
    assert main(["gallery", "first", *options]) == 0
    assert "full 1, has data 1" in capsys.readouterr().out


def test_an_experiment_without_its_data_is_named_and_stops_no_other(tmp_path, monkeypatch, capsys):
    for name in list(EXPERIMENTS):
        monkeypatch.delitem(EXPERIMENTS, name)
    add_experiment(monkeypatch, "lacking", lacking)
    add_experiment(monkeypatch, "first", reaching(0.5))
    options = ["--data_dir", "data", "--output", str(tmp_path)]
    assert main(["gallery", "all", *options]) == 2
    said = capsys.readouterr()
    assert "lightning-tf gallery: lacking: data/photos is not there." in said.err
    assert "first: accuracy 0.5" in said.out


def test_where_nothing_has_run_no_page_is_named(tmp_path, monkeypatch, capsys):
    add_experiment(monkeypatch, "lacking", lacking)
    assert main(["gallery", "lacking", "--output", str(tmp_path)]) == 2
    assert "table and images" not in capsys.readouterr().out
