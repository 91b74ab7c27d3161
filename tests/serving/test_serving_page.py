"""The commands of docs/serving.md run as they stand there."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers.paths import ROOT
from PIL import Image
from sklearn.datasets import load_digits

FIT = "--task ImageClassification --data digits --network mlp --max_epochs 10 --seed 0"


@pytest.mark.slow
def test_every_command_of_the_page_runs(tmp_path):
    for name, index in (("three", 3), ("one", 1)):
        pixels = np.round(load_digits().images[index] * 255 / 16).astype("uint8")
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "docs/serving.md").read_text(), re.DOTALL)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    program = "\n".join(["set -eu", f"lightning-tf fit {FIT}", *blocks]).replace("8000", port)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PATH": path}
    done = subprocess.run(
        ["bash", "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    answers = done.stdout.split("Ctrl-C ends it.")[1]
    assert answers.count('"predictions":') == 2
    assert answers.count('"label":"3"') == 2
    assert len(re.findall(r"^\d 0\.\d+$", answers, re.MULTILINE)) == 2
