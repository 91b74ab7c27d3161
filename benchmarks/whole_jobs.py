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


@dataclass(frozen=True)
class Job:
    """One job: what it does, its data, and by how much its quality scatters.

    Attributes:
        what: In a few words.
        prepare: Writes the data into a folder; raises `job_data.Absent` where it cannot.
        noise: What quality may fall behind the best peer's: its own units where more is better,
            else a share of the peer's.
        less_is_better: Whether quality is an error.
    """

    what: str
    prepare: Callable[[Path, bool], None]
    noise: float
    less_is_better: bool = False


ALL_JOBS = {
    "short_run": Job("100 steps of a small net", job_data.write_digits, 0.02),
    "tables": Job("Regression on 10^6 x 20 rows of CSV, one epoch", job_data.write_tables, 0.02),
}


@dataclass(frozen=True)
class Run:
    """What one process cost, and the quality that it printed last: a name and a number."""

    cost: ProcessCost
    quality: float


def contenders(name: str) -> Iterator[tuple[str, list[str]]]:
    """Yield each contender of a job whose environment is there, with its command."""
    for file in NAMES:
        program = JOBS / name / f"{file}.py"
        python = PYTHON if file == "lightning_fit" else Path(sys.executable)
        if program.exists() and python.exists():
            yield file, [str(python), str(program)]


def run(command: list[str], data: Path) -> Run:
    """Run a contender in an empty folder."""
    with tempfile.TemporaryDirectory() as folder:
        cost = measure_process([*command, str(data)], Path(folder), ENVIRONMENT)
    return Run(cost, float(cost.output.split()[-1]))


def take_turns(name: str, data: Path, runs: int) -> dict[str, list[Run]]:
    """Run the contenders of a job in turn, every other round in reverse order."""
    commands = dict(contenders(name))
    rounds: dict[str, list[Run]] = {contender: [] for contender in commands}
    for turn in range(runs):
        for contender in list(commands) if turn % 2 else reversed(commands):
            rounds[contender].append(run(commands[contender], data))
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
    word = ours[0].cost.output.split()[-2]
    header = ["", "CPU (s)", "wall (s)", "peak (MiB)", word]
    header += [f"Trainer's {figure} to it" for figure in FIGURES]
    rows = [row(contender, runs, ours) for contender, runs in rounds.items()]
    less = ", of less data" if options.quick else ""
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
                ALL_JOBS[name].prepare(Path(folder), options.quick)
            except job_data.Absent as absent:
                print(f"## whole_jobs: {name}\n\nSkipped: {absent}\n")
                continue
            rounds = take_turns(name, Path(folder), options.runs)
        try:
            report(name, rounds, options)
        except SystemExit:  # of --check: the other jobs are measured all the same
            missed.append(name)
    if missed:
        raise SystemExit(f"Missed: {', '.join(missed)}")


if __name__ == "__main__":
    main()
