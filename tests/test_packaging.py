"""What is installed: the wheel, the guards of the bare names, the weight of an import."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import venv
import zipfile
from email import message_from_bytes

import pytest
from helpers.paths import ROOT
from sklearn.datasets import load_digits

import lightning_tf

FOLDERS = {
    "lightning_tf": ROOT / "lightning_tf",
    "lightning_tf/tasks": ROOT / "tasks",
    "lightning_tf/callbacks": ROOT / "callbacks",
}
HEAVY = (
    "fastapi",
    "jsonargparse",
    "keras_hub",
    "matplotlib",
    "mlxtend",
    "optuna",
    "pandas",
    "rich",
    "sklearn",
    "tensorflow_datasets",
    "tensorflow_hub",
    "tensorflow_text",
    "wandb",
)

STARTED = (
    "__main__",
    ".cli.run_command",
    ".cli.tune_command",
    ".cli.option_parser",
    ".serving.routes",
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel that was built from an sdist that was built from a copy of the checkout."""
    copy, out = tmp_path_factory.mktemp("checkout"), tmp_path_factory.mktemp("dist")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    for name in ("lightning_tf", "tasks", "callbacks"):
        unwanted = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, copy / name, symlinks=True, ignore=unwanted)
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(copy)]
    done = subprocess.run(build, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = out.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        yield archive


def python(code):
    """Run code in a new interpreter that stands in the checkout."""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def test_the_wheel_holds_exactly_the_files_of_the_three_folders(wheel):
    page = ("report.css", "report.html.j2", "report.js")
    expected = {"lightning_tf/py.typed", *(f"lightning_tf/run_report/{name}" for name in page)}
    expected |= {f"lightning_tf/serving/{name}" for name in ("page.html.j2", "page.js")}
    for name, folder in FOLDERS.items():
        # rglob does not enter the two links, so that no file is named twice.
        files = (path.relative_to(folder) for path in folder.rglob("*.py"))
        expected |= {f"{name}/{path.as_posix()}" for path in files}
    built = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert built == expected


def test_the_wheel_has_the_version_and_the_license_of_the_package(wheel):
    (name,) = (name for name in wheel.namelist() if name.endswith("METADATA"))
    metadata = message_from_bytes(wheel.read(name))
    assert metadata["Version"] == lightning_tf.__version__
    assert metadata["License-Expression"] == "Apache-2.0"
    assert any(name.endswith("licenses/LICENSE") for name in wheel.namelist())


@pytest.mark.parametrize("name", ["tasks", "callbacks"])
def test_the_links_lead_to_the_folders(name):
    link = ROOT / "lightning_tf" / name
    assert link.is_symlink()
    assert link.resolve() == ROOT / name


@pytest.mark.parametrize("name", ["tasks", "callbacks"])
def test_a_bare_import_of_a_folder_is_refused(name):
    code, _, error = python(f"import {name}")
    assert code != 0
    assert f"ImportError: import lightning_tf.{name}, not {name}" in error


def test_no_room_imports_a_heavy_library_before_it_is_used():
    # Keras itself imports some of them, so their presence proves nothing: they are taken away.
    code, _, error = python(
        "import importlib, pkgutil, sys\n"
        "import keras, tensorflow\n"
        f"sys.modules.update(dict.fromkeys({HEAVY!r}))\n"
        "import lightning_tf\n"
        "for room in pkgutil.walk_packages(lightning_tf.__path__, 'lightning_tf.'):\n"
        # The first runs the command; the others are imported when they have something to do.
        f"    if not room.name.endswith({STARTED!r}):\n"
        "        importlib.import_module(room.name)"
    )
    assert code == 0, error


@pytest.mark.slow
def test_digits_are_learnt_without_the_packages_for_other_data_and_loggers(tmp_path):
    missing = ("wandb", "tensorflow_hub", "tensorflow_datasets", "keras_hub")
    code, out, error = python(
        f"import sys\nsys.modules.update(dict.fromkeys({missing!r}))\n"
        "from lightning_tf import Trainer\n"
        "from lightning_tf.tasks import ImageClassification\n"
        f"trainer = Trainer(max_epochs=3, seed=0, default_root_dir={str(tmp_path)!r})\n"
        "trainer.fit(ImageClassification('digits', 'mlp'))\n"
        "print(trainer.callback_metrics['val_accuracy'])"
    )
    assert code == 0, error
    assert float(out.splitlines()[-1]) > 0.8


def run_page(page, wheel, folder, change=str):
    """Run the commands of a page from the wheel, with the packages of here; return what it says."""
    venv.create(folder / "venv", with_pip=True)
    (packages,) = (folder / "venv/lib").glob("python*/site-packages")
    here = next(path for path in sys.path if path.endswith("site-packages"))
    (packages / "others.pth").write_text(here)  # links in it are not followed: no checkout
    text = (ROOT / f"docs/{page}.md").read_text()
    install, *commands = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    assert install.startswith("pip install ")
    shutil.copy(wheel.filename, folder)
    program = "\n".join(
        [
            "set -eu",
            install.replace("install", "install --quiet --no-deps --no-index"),
            'python -c "import lightning_tf; print(lightning_tf.__file__)"',
            *commands,
        ]
    )
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    environment["PATH"] = f"{folder / 'venv/bin'}{os.pathsep}{environment['PATH']}"
    done = subprocess.run(
        ["bash", "-c", change(program)], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert str(packages) in done.stdout
    return done.stdout


@pytest.mark.slow
def test_every_command_of_the_quick_start_runs_from_the_wheel(wheel, tmp_path):
    said = run_page("quick_start", wheel, tmp_path)
    assert re.search(r"^epoch 5/5 ", said, re.MULTILINE)
    assert re.search(r"^label 3 probability 0\.", said, re.MULTILINE)
    assert list(tmp_path.glob("**/offline-run-*/*.wandb"))


@pytest.mark.slow
def test_a_first_hour_leads_from_images_in_folders_to_a_served_answer(wheel, tmp_path):
    text = (ROOT / "docs/first_hour.md").read_text()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    said = run_page("first_hour", wheel, tmp_path, lambda code: code.replace("8000", port))
    assert "8000" in text  # the port is all that is another
    accuracy = re.search(r"^test_accuracy +([0-9.]+)", said, re.MULTILINE)
    assert float(accuracy[1]) > 0.9
    (answer,) = json.loads((tmp_path / "answer.json").read_text())["predictions"]
    wanted = load_digits().target[1750]
    names = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    assert (answer["file"], answer["label"]) == ("1750.png", names[wanted])
    assert (tmp_path / "runs/version_0/report.html").is_file()
    assert len((tmp_path / "runs/version_0/predictions/predictions.csv").read_text().split()) == 98


@pytest.mark.slow
def test_importing_the_package_takes_little_more_time_than_keras_and_tensorflow():
    code, out, error = python(
        "import time\n"
        "import keras, tensorflow\n"
        "start = time.process_time()\n"
        "import lightning_tf\n"
        "print(time.process_time() - start)"
    )
    assert code == 0, error
    assert float(out.splitlines()[-1]) < 1.0
