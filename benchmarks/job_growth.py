"""The growth of whole processes with layers, epochs, series, categorical columns, values logged.

    python benchmarks/job_growth.py [--only layers epochs] [--runs 1] [--write] [--check] [--quick]

Each size is a process of its own (`benchmarks/growing_job.py`), which trains with the Trainer's
defaults to the last byte on disk; layers beside Keras' fit. A unit's cost is what it adds to the
CPU seconds or to the peak of memory of the next smaller size: what grows linearly has the same
cost everywhere.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import measure
from process_cost import measure_process

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "benchmarks" / "growing_job.py"
ENVIRONMENT = {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3", "MPLBACKEND": "Agg"}
LINEAR = 1.3


@dataclass(frozen=True)
class Growth:
    """What grows.

    Attributes:
        what: In words.
        sizes: From small to large; `--quick` takes the first two.
        beside: Other contenders than ours.
        is_memory: Whether its cost is memory; else CPU time.
    """

    what: str
    sizes: Sequence[int]
    beside: tuple[str, ...] = ()
    is_memory: bool = False


GROWTHS = {
    "layers": Growth("dense layers, 20 updates", (20, 100, 400), beside=("keras_fit",)),
    "epochs": Growth("epochs of 4 updates", (20, 500, 2_000)),
    "series": Growth("series of 200 values in a table", (3, 300, 900)),
    "columns": Growth("categorical columns of a table", (3, 200, 800)),
    "logged": Growth("values logged in a step", (1, 20, 100), is_memory=True),
}


def costs(name: str, contender: str, sizes: Sequence[int], runs: int) -> list[float]:
    """Return the median CPU seconds or MiB of each size."""

    def cost(size: int) -> float:
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, PROGRAM, name, str(size), contender]
            process = measure_process(command, Path(folder), ENVIRONMENT)
        return process.peak / 2**20 if GROWTHS[name].is_memory else process.cpu

    rounds = [[cost(size) for size in sizes] for _ in range(runs)]
    return [statistics.median(values) for values in zip(*rounds, strict=True)]


def unit_costs(sizes: Sequence[int], values: Sequence[float]) -> list[float]:
    """Return what one more costs between each two sizes."""
    pairs = zip(pairwise(sizes), pairwise(values), strict=True)
    return [(b - a) / (many - few) for (few, many), (a, b) in pairs]


def report(name: str, options: argparse.Namespace) -> None:
    """Measure one growth and report it as a section of its own."""
    growth = GROWTHS[name]
    sizes = growth.sizes[:2] if options.quick else growth.sizes
    unit, per_unit = ("MiB", "MiB") if growth.is_memory else ("CPU s", "CPU ms")
    scale = 1 if growth.is_memory else 1000
    measured = {
        contender: costs(name, contender, sizes, options.runs)
        for contender in ("ours", *growth.beside)
    }

    rows = []
    for contender, values in measured.items():
        each = ["", *(f"{scale * cost:.2f}" for cost in unit_costs(sizes, values))]
        rows += [
            [contender, str(size), f"{value:.1f}", added]
            for size, value, added in zip(sizes, values, each, strict=True)
        ]
    table = measure.table(["", growth.what, unit, f"{per_unit} for one more"], rows)

    targets = []
    if not options.quick:
        first, last = unit_costs(sizes, measured["ours"])
        ratio = last / first if first > 0 else math.inf  # what is below noise proves nothing
        targets.append(measure.Target("one more of many to one of few", ratio, at_most=LINEAR))
    for contender in growth.beside:
        ours, theirs = (unit_costs(sizes, measured[who])[-1] for who in ("ours", contender))
        ratio = ours / theirs
        targets.append(measure.Target(f"one more to {contender}'s", ratio, at_most=1.0))
    measure.report(f"job_growth: {name}", table, targets, options)


def main() -> None:
    options = measure.arguments(__doc__.splitlines()[0], runs=1, only=list(GROWTHS))
    for name in options.only:
        report(name, options)


if __name__ == "__main__":
    main()
