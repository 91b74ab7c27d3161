"""`lightning-tf serve RUN` answers over a socket until it is asked to end."""

import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from helpers.paths import ROOT
from helpers.served import b64, served_by_command
from PIL import Image
from sklearn.datasets import load_digits

from lightning_tf.cli.main import main
from lightning_tf.serving.task_of_run import task_of_run

QUIET = ["--enable_progress_bar", "false", "--enable_model_summary", "false"]
FEW = ["--limit_train_batches", "4", "--max_epochs", "1", "--seed", "3"]
OWN = '''
import keras
from lightning_tf.tasks import ImageClassification

class Mine(ImageClassification):
    """A task of one's own."""
'''


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A folder with a run of digits, and one of a task in a file."""
    before, root = Path.cwd(), tmp_path_factory.mktemp("served")
    os.chdir(root)
    try:
        (root / "tasks_of_mine.py").write_text(OWN)
        for task in ("ImageClassification", "tasks_of_mine.py:Mine"):
            options = ["--data", "digits", "--network", "linear", *QUIET, *FEW]
            assert main(["fit", "--task", task, *options]) == 0
    finally:
        os.chdir(before)
        sys.path.remove(str(root))
    return root


def png(index):
    buffer = io.BytesIO()
    pixels = np.round(load_digits().images[index] * 255 / 16).astype("uint8")
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)]
)
def test_a_run_answers_and_ends_when_it_is_asked_to(root, number):
    run = "runs/version_1" if number == signal.SIGINT else "runs/version_0"
    with served_by_command(run, "--max_batch", "2", cwd=root) as (client, process, said):
        assert said.count("\n") == 1
        assert "There is no authentication." in said
        code, answer = client.predict_files(("0.png", png(0)), ("1.png", png(1)))
        assert code == 200
        task, _ = task_of_run(root / run)
        expected = task.predict([png(0), png(1)]).records()
        assert [one["label"] for one in answer["predictions"]] == [x["label"] for x in expected]
        assert client.predict(b64(png(0)), *[b64(png(1))] * 2)[0] == 422

        about = client.get("/model")[1]
        assert about["task"] == ("Mine" if number == signal.SIGINT else "ImageClassification")
        assert about["checkpoint"].endswith(".ckpt")
        assert str(root) not in json.dumps(about)
        process.send_signal(number)
        _, error = process.communicate(timeout=30)
    assert process.returncode == 0, error
    assert error.splitlines()[-1] == "lightning-tf serve: ended, as it was asked to."


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["nowhere"], 2, "nowhere is no folder"),
        (["runs"], 1, "no checkpoint that can be read"),
        (["runs/version_0", "--ckpt_path", "nowhere.ckpt"], 1, "nowhere.ckpt is no checkpoint"),
        (["runs/version_0", "--max_batch", "0"], 2, "max_batch"),
        (["runs/version_0", "--port", "70000"], 2, "--port 70000"),
        (["runs/version_0", "--host", "256.1.1.1"], 2, "--host 256.1.1.1"),
    ],
)
def test_what_cannot_be_served_is_said_in_a_sentence(
    root, monkeypatch, capsys, arguments, code, said
):
    monkeypatch.chdir(root)
    if "--port" not in arguments:
        arguments = [*arguments, "--port", "0"]
    assert main(["serve", *arguments]) == code
    error = capsys.readouterr().err.splitlines()
    assert said in error[-1]
    assert error[-1].startswith("lightning-tf serve: ")


def test_a_port_that_is_taken_and_a_missing_package_are_told_before_tensorflow_is_loaded(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        program = "import sys; from lightning_tf.cli.main import main\n{}\n" + (
            f"code = main(['serve', 'runs/version_0', '--port', '{port}'])\n"
            "sys.exit(100 if 'tensorflow' in sys.modules else code)"
        )
        missing = (
            "import importlib.util as util, lightning_tf.serving.extra as extra\n"
            "extra.find_spec = lambda name: None"
        )
        for lines, said in (("", f"--port {port}"), (missing, "pip install 'lightning-tf[serve]'")):
            done = subprocess.run(
                [sys.executable, "-c", program.format(lines)],
                cwd=tmp_path,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                capture_output=True,
                text=True,
            )
            assert done.returncode == 2, done.stderr
            assert said in done.stderr
            assert done.stderr.count("\n") == 1


@pytest.mark.slow
def test_two_hundred_requests_at_once(root, capsys):
    task, _ = task_of_run(root / "runs/version_0")
    contents = [png(index) for index in range(200)]
    expected = [one["class"] for one in task.predict(contents).records()]
    times = []

    def ask(client, content):
        start = time.perf_counter()
        code, answer = client.predict_files(("a.png", content))
        times.append(time.perf_counter() - start)
        assert code == 200, answer
        return answer["predictions"][0]["class"]

    with served_by_command("runs/version_0", cwd=root) as (client, *_):
        with ThreadPoolExecutor(200) as pool:
            start = time.perf_counter()
            found = list(pool.map(lambda content: ask(client, content), contents))
            seconds = time.perf_counter() - start
        start = time.perf_counter()
        for content in contents[:50]:
            ask(client, content)
        one = (time.perf_counter() - start) / 50
        start = time.perf_counter()
        code, answer = client.predict(*map(b64, contents[:64]))
        batch = time.perf_counter() - start
    assert found == expected
    assert (code, [x["class"] for x in answer["predictions"]]) == (200, expected[:64])
    p50, p95 = np.percentile(times[:200], [50, 95])
    with capsys.disabled():
        print(
            f"\n200 requests at once: {200 / seconds:.0f} a second, p50 {p50 * 1e3:.0f} ms, "
            f"p95 {p95 * 1e3:.0f} ms; one after another {one * 1e3:.1f} ms; "
            f"64 in one {batch * 1e3:.0f} ms"
        )
