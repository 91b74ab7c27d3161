"""The code of the gallery's pages runs, and prints what the pages say it prints."""

import re
import shlex

import pytest
from helpers.paths import ROOT

from lightning_tf.cli.main import main
from lightning_tf.gallery.linear_regression import write_points

QUICK = {"cross_entropy"}
BLOCK = re.compile(r"```python\n(.*?)```(?:\n\n```text\n(.*?)```)?", re.DOTALL)
PAGES = sorted(
    path.stem
    for path in (ROOT / "docs" / "gallery").glob("*.md")
    if "```python" in path.read_text()
)


@pytest.mark.parametrize(
    "page", [pytest.param(page, marks=[pytest.mark.slow] * (page not in QUICK)) for page in PAGES]
)
def test_every_block_of_code_runs_and_prints_what_stands_below_it(
    page, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "__main__"}
    for code, shown in BLOCK.findall((ROOT / f"docs/gallery/{page}.md").read_text()):
        capsys.readouterr()
        exec(compile(code, f"{page}.md", "exec"), names)  # all blocks of a page are one program
        if shown:
            assert capsys.readouterr().out == shown


@pytest.mark.slow
def test_the_flags_of_the_linear_regression_fit_go_on_test_and_predict(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    write_points(tmp_path / "points.csv")
    page = (ROOT / "docs/gallery/linear_regression.md").read_text()
    block = re.search(r"```\n(lightning-tf fit.*?)```", page, re.DOTALL)[1]
    printed = []
    for line in block.splitlines():
        assert main(shlex.split(line)[1:]) == 0
        printed.append(capsys.readouterr().out)

    (r2,) = re.findall(r"test_r2 +([\d.]+)", printed[2])
    assert float(r2) == pytest.approx(0.902, abs=0.005)  # as the page says
    assert (tmp_path / "runs/version_0/checkpoints/epoch=9-step=50.ckpt").is_dir()
    assert list((tmp_path / "runs/version_0/tensorboard").iterdir())
    assert (tmp_path / "labels/predictions.csv").read_text().count("\n") == 201
