"""What the documents say is there is there, and the README's example runs."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def rooms_of_the_architecture():
    """Paths in the block of ARCHITECTURE.md that lists the rooms."""
    block = (ROOT / "ARCHITECTURE.md").read_text().split("## The rooms")[1].split("```")[1]
    folder = ""
    for line in block.strip().splitlines():
        name = line.split()[0]
        folder = folder if line.startswith(" ") else name
        yield folder + name if line.startswith(" ") else name


def test_the_architecture_names_every_room_of_the_core_and_no_other():
    core = {
        f"lightning_tf/{path.name}"
        for path in (ROOT / "lightning_tf").glob("*.py")
        if not path.name.startswith("__")
    }
    named = set(rooms_of_the_architecture())
    assert core - named == set()
    assert {name for name in named if not (ROOT / name).exists()} == set()


def test_links_between_documents_lead_somewhere():
    for document in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")):
        targets = re.findall(r"\]\((?!https?:)([^)#]+)\)", document.read_text())
        missing = [target for target in targets if not (document.parent / target).exists()]
        assert not missing, f"{document.name} links to {missing}"


def test_every_make_target_in_the_documents_exists():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for document in ROOT.glob("*.md"):
        named = set(re.findall(r"^make (?:\S+=\S+ )?([a-z]+)", document.read_text(), re.MULTILINE))
        assert named <= targets, f"{document.name} names {named - targets}"


EXAMPLES = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)


@pytest.mark.parametrize("code", EXAMPLES, ids=["built-in task", "own task"])
def test_the_examples_of_the_readme_learn_the_digits(code, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    accuracy = float(re.findall(r"'test_accuracy': ([0-9.]+)", done.stdout)[-1])
    assert accuracy > 0.93


@pytest.mark.parametrize("document", ["checkpoints", "gan", "text_classification"])
def test_the_code_of_a_document_runs(document, tmp_path):
    text = (ROOT / f"docs/{document}.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    command = [sys.executable, "-c", "\n".join(blocks)]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
