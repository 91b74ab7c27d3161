"""service: from a fit to answers over HTTP, which are the model's own to the last bit."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import numpy as np
from numpy.typing import NDArray

from lightning_tf.callbacks import CSVLogger
from lightning_tf.gallery.common.quiet_trainer import quiet_trainer
from lightning_tf.gallery.common.served_run import served_run
from lightning_tf.tasks import ImageClassification

EPOCHS, ASKED = 10, 200  # images that are sent, one after another
ELSEWHERE = """
import json, sys
import numpy as np
from lightning_tf.tasks import ImageClassification

task = ImageClassification.from_checkpoint(sys.argv[1], data=None)
table = task.predict(np.load(sys.argv[2])).frame
print(json.dumps(table.filter(like="probability_").to_numpy().tolist()))
"""


def run(folder: Path, *, full: bool, data_dir: str | None) -> Mapping[str, float]:
    """Train, restore in a second process, serve, ask, and compare.

    Args:
        folder: For service.png, runs/ and images.npy.
        full: Nothing takes longer.
        data_dir: Not needed: scikit-learn carries the digits.

    Raises:
        ConfigurationError: The extra `serve` is not installed.
    """
    from sklearn.datasets import load_digits

    shutil.rmtree(folder / "runs", ignore_errors=True)  # of an earlier time
    task = ImageClassification("digits", "mlp")
    logger = CSVLogger(folder / "runs")
    trainer = quiet_trainer(EPOCHS, logger=logger, enable_checkpointing=True)
    trainer.fit(task)
    accuracy = trainer.test(task)["test_accuracy"]
    run_folder = folder / "runs" / "version_0"
    (checkpoint,) = run_folder.glob("checkpoints/*.ckpt")

    images = load_digits().images[:ASKED]
    np.save(folder / "images.npy", images)
    here = _probabilities(task.predict(images).records())
    restored = _elsewhere(checkpoint, folder / "images.npy")

    with served_run(run_folder) as address:
        answers, seconds = _ask(address, images)
    alone = [task.predict(image[np.newaxis]).records()[0] for image in images]  # as it is asked
    served = np.abs(_probabilities(answers) - _probabilities(alone)).max()

    milliseconds = 1000 * np.array(seconds[1:])
    _figure(images[0], answers[0], milliseconds).savefig(folder / "service.png", dpi=100)
    return {
        "difference of an answer from the model's": float(served),
        "difference of a restored model": float(np.abs(restored - here).max()),
        "test accuracy": accuracy,
        "answers that are right": float(
            np.mean([a["class"] == y for a, y in zip(answers, load_digits().target, strict=False)])
        ),
        "milliseconds of a request, median": float(np.median(milliseconds)),
    }


def _probabilities(records: Sequence[Mapping[str, Any]]) -> NDArray[np.float32]:
    """Return the probabilities of all classes, shape (examples, 10)."""
    rows = [[record[f"probability_{digit}"] for digit in range(10)] for record in records]
    return np.array(rows, np.float32)


def _elsewhere(checkpoint: Path, images: Path) -> NDArray[np.float32]:
    """Return the probabilities that a second process has, from the checkpoint alone."""
    command = [sys.executable, "-c", ELSEWHERE, str(checkpoint), str(images)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return np.array(json.loads(done.stdout.splitlines()[-1]), np.float32)


def _ask(address: str, images: NDArray[Any]) -> tuple[list[dict[str, Any]], list[float]]:
    """Ask for one image after another; return the answers and how long each took."""
    answers, seconds = [], []
    for image in images:
        body = json.dumps({"instances": [image.tolist()]}).encode()
        request = Request(f"{address}/predict", body, {"Content-Type": "application/json"})
        start = time.perf_counter()
        with urlopen(request, timeout=30) as response:
            answers.append(json.load(response)["predictions"][0])
        seconds.append(time.perf_counter() - start)
    return answers, seconds


def _figure(image: NDArray[Any], answer: Mapping[str, Any], milliseconds: NDArray[Any]) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.6), layout="constrained")
    grid = figure.add_gridspec(2, 3, height_ratios=(0.7, 1))
    _draw_story(figure.add_subplot(grid[0, :]))

    asked = figure.add_subplot(grid[1, 0])
    asked.imshow(image, cmap="gray_r")
    asked.set_xticks([])
    asked.set_yticks([])
    asked.set_title("the request: 8x8 numbers", fontsize=10)

    answered = figure.add_subplot(grid[1, 1])
    answered.bar(range(10), [answer[f"probability_{digit}"] for digit in range(10)])
    answered.set_xticks(range(10))
    answered.set_title(f"the answer: {answer['label']}", fontsize=10)
    answered.set_ylabel("probability")

    times = figure.add_subplot(grid[1, 2])
    median = float(np.median(milliseconds))
    times.hist(milliseconds, bins=25)
    times.axvline(median, color="black", linestyle="--", label=f"median {median:.1f} ms")
    times.set_title("one request after another", fontsize=10)
    times.set_xlabel("milliseconds")
    times.set_ylabel("requests")
    times.legend(fontsize=8)
    return figure


def _draw_story(axes: Any) -> None:
    steps = (
        "a cell of a notebook\ntrainer.fit(task)",
        "runs/version_0\ncheckpoints/*.ckpt",
        "another process\nfrom_checkpoint",
        "lightning-tf serve\nPOST /predict",
    )
    axes.set_xlim(-0.5, len(steps) - 0.5)
    axes.set_ylim(-0.5, 0.5)
    axes.set_axis_off()
    box = {"boxstyle": "round,pad=0.6", "facecolor": "white", "edgecolor": "black"}
    for place, step in enumerate(steps):
        axes.text(place, 0, step, ha="center", va="center", fontsize=9, bbox=box)
    for place in range(len(steps) - 1):
        arrow = {"arrowstyle": "->", "color": "black"}
        axes.annotate("", (place + 0.6, 0), (place + 0.42, 0), arrowprops=arrow)
