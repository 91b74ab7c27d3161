"""The documents name files, targets and arguments that exist, and their examples run."""

import importlib
import inspect
import os
import re
import shutil
import subprocess
import sys
from functools import partial
from importlib import import_module

import keras
import numpy as np
import pytest
from helpers.extras import MNIST, NEWS, needs
from helpers.paths import ROOT
from PIL import Image

from lightning_tf import Callback, Trainer


def rooms_of_the_architecture():
    """Yield the paths in the block of ARCHITECTURE.md that lists the rooms."""
    block = (ROOT / "ARCHITECTURE.md").read_text().split("## The rooms")[1].split("```")[1]
    folder = ""
    for line in block.strip().splitlines():
        name = line.split()[0]
        folder = folder if line.startswith(" ") else name
        yield folder + name if line.startswith(" ") else name


def test_the_architecture_names_every_room_of_the_core_and_no_other():
    core = {
        f"lightning_tf/{path.name}{'/' if path.is_dir() else ''}"
        for path in (ROOT / "lightning_tf").iterdir()
        if not path.is_symlink() and path.name != "py.typed" and not path.name.startswith("__")
    }
    named = set(rooms_of_the_architecture())
    assert core - named == set()
    assert {name for name in named if not (ROOT / name).exists()} == set()


def test_links_between_documents_lead_somewhere():
    for document in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")):
        prose = re.sub(r"^```.*?^```", "", document.read_text(), flags=re.DOTALL | re.MULTILINE)
        targets = re.findall(r"\]\((?!https?:)([^)#]+)\)", prose)
        missing = [target for target in targets if not (document.parent / target).exists()]
        assert not missing, f"{document.name} links to {missing}"


def test_every_make_target_in_the_documents_exists():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for document in ROOT.glob("*.md"):
        named = set(re.findall(r"^make (?:\S+=\S+ )?([a-z]+)", document.read_text(), re.MULTILINE))
        assert named <= targets, f"{document.name} names {named - targets}"


EXAMPLES = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)


@pytest.mark.slow
@pytest.mark.parametrize("code", EXAMPLES, ids=["built-in task", "own task"])
def test_the_examples_of_the_readme_learn_the_digits(code, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    accuracy = float(re.findall(r"'test_accuracy': ([0-9.]+)", done.stdout)[-1])
    assert accuracy > 0.93


RUN_ELSEWHERE = {"wandb"}  # tests/callbacks/wandb/test_wandb_logger.py, offline
SLOW = {
    "checkpoints",
    "from_notebook_to_service",
    "image_classification",
    "loggers",
    "own_task",
    "serving",
    "gan",
    "object_detection",
    "style_transfer",
    "tables",
    "text_classification",
    "time_series_forecast",
    "transfer_learning",
}
EXTRAS = {
    "object_detection": [MNIST, needs("onnxruntime", "onnx")],
    "serving": [needs("onnxruntime", "onnx"), needs("fastapi", "serve")],
    "text_classification": [NEWS],
}
PAGES = sorted(
    path.stem
    for path in (ROOT / "docs").glob("*.md")
    if "```python" in path.read_text() and path.stem not in RUN_ELSEWHERE
)


@pytest.fixture
def page_files(tmp_path, monkeypatch):
    """A working directory with the files that pages name; networks get random weights."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    for index in range(24):
        file = tmp_path / "photos" / ("cats", "dogs")[index % 2] / f"{index}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        pixels = random.integers(0, 256, (48, 64, 3)).astype("uint8")
        Image.fromarray(pixels).save(file)
    for name in ("cat.jpg", "style.jpg"):
        shutil.copy(file, name)
    for name in ("MobileNetV2", "VGG16"):
        make_network = partial(_without_weights, getattr(keras.applications, name))
        monkeypatch.setattr(keras.applications, name, make_network)


def _without_weights(make, **arguments):
    return make(**{**arguments, "weights": None})


@pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning",
    "ignore:In the future `np.object`:FutureWarning",  # tf2onnx's
    "ignore:.*tf.lite.Interpreter is deprecated:UserWarning",
)
@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=[pytest.mark.slow] * (page in SLOW) + EXTRAS.get(page, []))
        for page in PAGES
    ],
)
@pytest.mark.usefixtures("page_files")
def test_every_block_of_code_of_a_page_runs(page):
    text = (ROOT / f"docs/{page}.md").read_text()
    names = {"__name__": "__main__"}
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(compile(block, f"{page}.md", "exec"), names)  # all blocks of a page are one program


def test_the_page_for_lightning_users_names_every_argument_and_every_hook():
    text = (ROOT / "docs/from_lightning.md").read_text()
    arguments, hooks = text.split("## Arguments of the Trainer")[1].split("## Hooks")
    named = re.findall(r"^\| `(\w+)` \|", arguments, re.MULTILINE)
    assert named == list(inspect.signature(Trainer).parameters)
    known = {name for name in vars(Callback) if name.startswith("on_")} | {"setup", "teardown"}
    rows = [row for row in hooks.splitlines() if row.startswith("| `") and "not here" not in row]
    rows = [row for row in rows if "| refused" not in row]
    first = {name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert first - {"on_save_checkpoint", "on_load_checkpoint"} == known


def test_every_page_is_in_the_navigation():
    navigation = (ROOT / "mkdocs.yml").read_text().split("nav:")[1]
    named = set(re.findall(r"([\w/]+\.md)", navigation))
    docs = ROOT / "docs"
    assert named == {path.relative_to(docs).as_posix() for path in docs.rglob("*.md")}


PUBLIC = {
    "lightning_tf",
    *(f"lightning_tf.{name}" for name in ("callbacks", "data", "layers", "tasks")),
}


def test_documents_and_scripts_import_public_packages_alone():
    programs = ROOT.glob("scripts/**/*.py")
    for document in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *programs):
        text = document.read_text()
        imported = set(re.findall(r"^(?:from|import) (lightning_tf[\w.]*)", text, re.MULTILINE))
        assert imported <= PUBLIC, f"{document.name} imports {imported - PUBLIC}"


def test_documents_name_files_of_the_package_that_exist():
    for document in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")):
        if document.name == "CHANGELOG.md":
            continue
        named = set(
            re.findall(
                r"`((?:lightning_tf|scripts|benchmarks|tests)/[\w/.]+)`", document.read_text()
            )
        )
        missing = {name for name in named if not (ROOT / name).exists()}
        assert not missing, f"{document.name} names {missing}"


@pytest.mark.parametrize("name", ["", ".data", ".tasks", ".callbacks", ".layers"])
def test_the_api_page_names_all_that_is_public_and_each_has_an_example(name):
    package = importlib.import_module(f"lightning_tf{name}")
    things = {name: getattr(package, name) for name in package.__all__}
    documented = {name for name, thing in things.items() if "Example" in (thing.__doc__ or "")}
    assert documented | {"END_EPOCH", "layers"} >= set(things)
    page = (ROOT / "docs" / "api.md").read_text()
    listed = set(re.findall(rf"^::: lightning_tf{re.escape(name)}\.(\w+)$", page, re.MULTILINE))
    elsewhere = {"": {"layers"}, ".data": {"DataModule"}}.get(name, set())  # of another heading
    assert listed | elsewhere == {*package.__all__, *elsewhere}


def test_every_name_of_the_documents_is_public():
    for document in ROOT.glob("docs/*.md"):
        for package, name in re.findall(r"`lightning_tf\.(\w+)\.(\w+)`", document.read_text()):
            assert hasattr(import_module(f"lightning_tf.{package}"), name), f"{package}.{name}"
