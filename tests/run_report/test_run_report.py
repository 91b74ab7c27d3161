"""One page about runs: what it shows, what it refuses, and that nothing of a run gets out."""

import json
import math
import os
import re
import subprocess
import sys

import pytest
from helpers.paths import ROOT
from helpers.run_folders import HOSTILE, PageText, epochs, page_of, write_image, write_run

from lightning_tf import report
from lightning_tf.cli.main import main
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.run_report.comparison import hide_in_text, hide_secrets


def test_a_page_has_curves_values_hyperparameters_and_the_command(tmp_path):
    begin = {
        "event": "begin",
        "call": "a",
        "time": 100.0,
        "entry_point": "fit",
        "task": "my.tasks.Mine",
        "command": ["train.py", "--lr", "0.1"],
        "git": {"commit": "ab" * 20, "branch": "main"},
        "packages": {"keras": "3.15.1"},
        "machine": {"processor": "EPYC"},
    }
    end = {"event": "end", "call": "a", "time": 175.0, "status": "success", "reason": "early"}
    rows = epochs(3)
    rows[-1]["test/accuracy"] = 0.875
    page = page_of(write_run(tmp_path / "version_0", rows, {"units": 12}, [begin, end]))

    for text in ("Mine", "success: early", "1 min", "train.py --lr 0.1", "3.15.1", "EPYC", "units"):
        assert text in page.text
    assert "abababababab on main" in page.text
    assert "test/accuracy" in page.texts
    assert "0.875" in page.texts
    assert page.count("svg", role="img") == 1  # the loss of both stages
    assert "loss over epochs done." in page.text
    assert page.count("path", **{"class": "curve val"}) == 2  # of the legend too


def test_runs_stand_side_by_side_and_what_differs_comes_first(tmp_path):
    slow = write_run(tmp_path / "version_0", epochs(2), {"lr": 0.1, "units": 8})
    fast = write_run(tmp_path / "version_1", epochs(4), {"lr": 0.2, "units": 8, "depth": 2})
    page = page_of(slow, fast)
    assert (slow / "report.html").is_file()
    differs = page.texts.index("depth"), page.texts.index("1 that are alike")
    assert differs[0] < differs[1] < page.texts.index("units")
    assert page.count("td", **{"class": "differs"}) == 4
    # The second run's best loss of validation and of training.
    assert page.count("td", **{"class": "number lead"}) == 2
    assert page.count("path", **{"class": "curve val"}) == 3


def test_names_and_values_are_text_wherever_they_come_from(tmp_path):
    first, second, third, fourth = HOSTILE
    run = write_run(
        tmp_path / first.replace("/", "_"),
        [{"step": 1, "epoch": 0, second: 0.5, f"device/{third}": 1}, {"step": 2, second: 0.25}],
        {third: fourth, "trainer": {second: first}},
        [{"event": "begin", "command": list(HOSTILE), "packages": {first: third}, "task": second}],
    )
    tables = run / "tables"
    tables.mkdir()
    (tables / "a_00000001.csv").write_text(f'<b>,x\n"{first}",{third}\n')
    (run / "texts").mkdir()
    (run / "texts" / "a_00000001.txt").write_text("".join(HOSTILE))
    write_image(run / "images" / "<img src=x onerror=1>_00000001.png")
    lines = {
        "kind": "images",
        "name": second,
        "step": 1,
        "path": "images/x.png",
        "captions": [third],
    }
    (run / "log.jsonl").write_text(json.dumps(lines) + "\n")

    page = page_of(run)
    assert [name for name, _ in page.elements if name == "script"] == ["script"] * 2
    assert not [name for name, _ in page.elements if name == "b"]
    assert all(
        image["src"].startswith("data:image/png") for tag, image in page.elements if tag == "img"
    )
    assert not any(key.startswith("on") for _, found in page.elements for key in found)
    for text in HOSTILE:
        assert text in page.text


def test_secrets_of_options_are_hidden(tmp_path):
    command = [
        "train.py",
        "--api_key",
        "s3cret",
        "--trainer.logger.token=s3cret",
        "--tokenizer",
        "bpe",
    ]
    calls = [{"event": "begin", "command": command}]
    run = write_run(tmp_path / "run", epochs(1), {"password": "s3cret", "o": {"api_key": 1}}, calls)
    html = report(run).read_text()
    assert "s3cret" not in html
    assert "--tokenizer bpe" in html


def test_a_run_that_was_cut_off_shows_its_whole_rows(tmp_path):
    run = write_run(tmp_path / "run", epochs(3), calls=[{"event": "begin", "entry_point": "fit"}])
    metrics = run / "metrics.csv"
    metrics.write_bytes(metrics.read_bytes()[:-4])
    with (run / "calls.jsonl").open("a") as file:
        file.write('{"event": "end", "sta')
    page = page_of(run)
    assert "ends within a row" in page.text
    assert "no end on record: going on, or killed" in page.text
    assert "1 lines of calls.jsonl are no JSON" in page.text
    assert "25" in page.texts  # the updates of the last whole row


@pytest.mark.parametrize(
    "content", ["", "step,epoch\r\n", None, "loss\r\n1\r\n", "\0\xff\r\n,,\r\n"]
)
def test_a_run_without_metrics_says_so(tmp_path, content):
    run = write_run(tmp_path / "run")
    if content is not None:
        (run / "metrics.csv").write_text(content, newline="")
    page = page_of(run)
    assert "No metrics have been logged yet." in page.text
    assert page.count("svg") == 0


def test_values_that_are_not_finite_leave_a_gap_and_are_told(tmp_path):
    rows = epochs(6)
    rows[5]["val/loss"], rows[7]["val/loss"], rows[9]["val/loss"] = math.nan, math.inf, 1e308
    rows[0]["only/nan"] = "nan"
    run = write_run(tmp_path / "run", rows)
    page = page_of(run)
    assert (
        "run val: 3 values are not drawn (not finite, or beyond 1e300), the first nan at update 30."
        in page.text
    )
    assert (
        "run: one value is not drawn (not finite, or beyond 1e300), the first nan at update 5."
        in page.text
    )
    drawn = [found["d"] for tag, found in page.elements if found.get("class") == "curve val"]
    assert drawn[1].count("M") == 2
    assert "nan" not in "".join(drawn).lower()


def test_many_rows_give_a_small_page_that_keeps_its_spikes(tmp_path):
    rows = [{"step": i, "epoch": 0, "train/loss": 1.0} for i in range(40_000)]
    rows[12_345]["train/loss"] = 77.0
    run = write_run(tmp_path / "run", rows)
    path = report(run)
    assert path.stat().st_size < 60_000
    page = PageText(path.read_text())
    assert "of 40000 points are drawn" in page.text
    assert "highest 77" in page.text


def test_the_file_loads_nothing_and_allows_no_script_but_its_own(tmp_path):
    page = page_of(write_run(tmp_path / "run", epochs(2)))
    policy = next(f["content"] for _, f in page.elements if "http-equiv" in f)
    assert policy.startswith("default-src 'none'; img-src data:; ")
    assert "unsafe-inline" not in policy
    assert not [f for _, f in page.elements if "http" in f.get("src", "") + f.get("href", "")]
    assert not [f for _, f in page.elements if "style" in f]


def test_the_command_needs_no_tensorflow(tmp_path):
    run = write_run(tmp_path / "run", epochs(2))
    code = (
        "import sys; from lightning_tf.cli.main import main; "
        f"print(main(['report', {str(run)!r}, '--output', 'a/b.html'])); "
        "sys.exit(any(m in sys.modules for m in ('tensorflow', 'keras', 'numpy', 'matplotlib')))"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["written: a/b.html", "0"]
    assert (tmp_path / "a" / "b.html").is_file()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere"], "nowhere: there is no such folder; give the folder of a run"),
        (["runs"], "runs is no folder of a run: .*give one or several of runs/version_0"),
        (["a.txt"], "a.txt is a file"),
        (["runs/version_0", "runs/../runs/version_0"], "is given twice"),
        (["runs/version_0", "--output", "runs"], "runs is a folder; give a file"),
        (["runs/version_0", "--output", "a.txt/b.html"], "cannot be written .*--output"),
    ],
)
def test_what_is_no_run_is_refused_by_name(tmp_path, monkeypatch, capsys, words, message):
    monkeypatch.chdir(tmp_path)
    write_run(tmp_path / "runs" / "version_0", epochs(1))
    (tmp_path / "a.txt").write_text("")
    assert main(["report", *words]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("lightning-tf report: ")
    assert re.search(message, printed.err)


def test_no_run_at_all_is_refused():
    with pytest.raises(ConfigurationError, match="runs is empty"):
        report([])


def test_equal_names_are_told_apart_by_their_folders(tmp_path):
    runs = [write_run(tmp_path / name / "version_0", epochs(1)) for name in ("mlp", "cnn")]
    page = page_of(*runs)
    assert "mlp/version_0, cnn/version_0" in page.texts


def test_runs_without_epochs_are_drawn_over_updates(tmp_path):
    rows = [{"step": step, "val/loss": 10.0**-step} for step in range(1, 6)]
    page = page_of(write_run(tmp_path / "run", rows))
    assert "updates" in page.texts
    assert "Logarithmic axis." in page.texts
    assert "1e-5" in page.texts


def test_a_run_of_a_json_lines_logger_alone_has_a_page_too(tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    lines = [
        {"kind": "hparams", "hparams": {"units": 7}},
        *({"kind": "metrics", **row} for row in epochs(3)),
        {"kind": "metrics", "step": 40, "epoch": 3, "val/loss": "nan"},
        {"kind": "table", "step": 30, "name": "val/scores", "columns": ["a"], "rows": [["cell"]]},
        {"kind": "text", "step": 30, "name": "note", "text": "well done"},
        {"kind": "end", "status": "interrupted"},
    ]
    (run / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    page = page_of(run)
    for text in ("units", "interrupted", "cell", "well done", "nan"):
        assert text in page.texts
    assert page.count("svg", role="img") == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"list": [{"api_key": "SEC9"}]}', '{"list": [{"api_key": (hidden)}]}'),
        ("{'password': 'SEC3', 'units': 3}", "{'password': (hidden), 'units': 3}"),
        ("postgres://u:SEC4@h/d", "postgres://u:(hidden)@h/d"),
        ('{"tokens": 3, "author": "me"}', '{"tokens": 3, "author": "me"}'),
    ],
)
def test_secrets_inside_of_values_are_hidden(text, expected):
    assert hide_in_text(text) == expected
    assert hide_secrets(["train.py", text]) == ["train.py", expected]
