"""The four notebooks run, learn, and leave a saved notebook without noise."""

import re

import jupytext
import pytest
from helpers.extras import MNIST
from helpers.kernel import run_notebook, said, shown
from helpers.paths import ROOT

FOLDER = ROOT / "scripts" / "notebooks"
LARGEST = 1_500_000  # bytes of a notebook that has run


def cell_with(notebook, text):
    cells = (cell for cell in notebook.cells if cell.cell_type == "code")
    return next(cell.outputs for cell in cells if text in cell.source)


def check_classify_images(notebook):
    wrong = re.findall(r"([\d.]+) % wrong", said(cell_with(notebook, "errors = {")))
    linear, convnet = map(float, wrong)
    assert convnet < 4 < linear < 16


def check_fine_tune(notebook):
    (before, after) = (
        float(re.search(r"^accuracy +[\d.]+ +[\d.]+ +([\d.]+)$", table, re.MULTILINE)[1])
        for source in ("of_scratch = trainer.test(scratch)", "of_tuned = trainer.test(tuned)")
        for table, _ in shown(cell_with(notebook, source), "text/html")
        if "test" in table
    )
    assert after > before > 0.5


def check_forecast(notebook):
    ((table, _),) = shown(cell_with(notebook, "task.compare"), "text/html")
    rmse = {name: float(value) for name, value in re.findall(r"^(\w+) +([\d.]+)", table, re.M)}
    assert rmse["mlp"] < 0.9 * min(value for name, value in rmse.items() if name != "mlp")


def check_own_gan(notebook):
    made, real = map(float, re.findall(r": ([\d.]+)", said(cell_with(notebook, "made to real"))))
    assert 0.5 * real < made < 2 * real


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "check"),
    [
        pytest.param("classify_images", check_classify_images, marks=MNIST),
        pytest.param("fine_tune", check_fine_tune, marks=MNIST),
        ("forecast", check_forecast),
        ("own_gan", check_own_gan),
    ],
)
def test_a_notebook_runs_and_learns(name, check, tmp_path):
    notebook = jupytext.read(FOLDER / f"{name}.py")
    run_notebook(notebook, tmp_path)
    check(notebook)

    assert len(jupytext.writes(notebook, fmt="ipynb")) < LARGEST
    for cell in notebook.cells:
        if cell.cell_type != "code" or "remove-output" in cell.metadata.get("tags", ()):
            continue
        assert said(cell.outputs, "stderr") == ""
        names = [text for text, _ in shown(cell.outputs, "image/png")]
        assert len(names) == len(set(names))
        assert not any("<progress" in html for _, html in shown(cell.outputs, "text/html"))
        fits = len(re.findall(r"\.fit\(", cell.source))
        tables = [text for text, _ in shown(cell.outputs, "text/html") if "epoch 1/" in text]
        assert len(tables) <= fits


def code_of_page(name):
    page = (ROOT / "docs" / "notebooks" / f"{name}.md").read_text()
    return [code.strip() for code in re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.M)]


@pytest.mark.parametrize("script", sorted(FOLDER.glob("*.py")), ids=lambda path: path.stem)
def test_the_page_of_a_notebook_has_its_code(script):
    notebook = jupytext.read(script)
    cells = [cell.source.strip() for cell in notebook.cells if cell.cell_type == "code"]
    assert [code for code in code_of_page(script.stem) if code in cells] == cells


def test_every_notebook_has_a_page_and_no_other():
    pages = {path.stem for path in (ROOT / "docs" / "notebooks").glob("*.md")}
    assert pages == {path.stem for path in FOLDER.glob("*.py")}
    front = (ROOT / "docs" / "notebooks.md").read_text()
    assert all(f"notebooks/{name}.md" in front for name in pages)
