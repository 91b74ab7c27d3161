"""What the benchmarks share: alternating runs, epoch clocks, tables of ratios and RESULTS.md."""

from __future__ import annotations

import argparse
import contextlib
import io
import itertools
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import tensorflow as tf

from lightning_tf import Callback, Task, Trainer

RESULTS = Path(__file__).parent / "RESULTS.md"
QUICK_SLACK = 1.25  # few runs of few steps scatter by so much on a shared machine


@dataclass(frozen=True)
class Timing:
    """Seconds of one run: of a later epoch, and of the whole call with its set-up."""

    epoch: float
    whole: float


@dataclass(frozen=True)
class Target:
    """A measured ratio and its bound; of times, unless `is_time` is False."""

    what: str
    ratio: float
    at_most: float | None = None
    at_least: float | None = None
    is_time: bool = True

    def with_slack(self, factor: float) -> Target:
        """Return the target with a bound easier by `factor`, if its ratio is of times."""
        factor = factor if self.is_time else 1.0
        at_most = None if self.at_most is None else self.at_most * factor
        at_least = None if self.at_least is None else self.at_least / factor
        return replace(self, at_most=at_most, at_least=at_least)

    @property
    def is_met(self) -> bool:
        """Say whether the ratio is on the right side of its bound."""
        below = self.at_most is None or self.ratio <= self.at_most
        return below and (self.at_least is None or self.ratio >= self.at_least)

    def __str__(self) -> str:
        """Return the ratio, its bound and whether it is met, in one line."""
        bound = f"<= {self.at_most:g}" if self.at_most is not None else f">= {self.at_least:g}"
        verdict = "met" if self.is_met else "MISSED"
        return f"{self.what}: {self.ratio:.2f} (target {bound}: {verdict})"


class EpochClock(Callback):
    """The times at which each epoch starts and the last one ends, under the Trainer."""

    logs_metrics = False

    def __init__(self) -> None:
        self.starts: list[float] = []

    def on_train_epoch_start(self, trainer: Trainer, task: Task) -> None:
        """Note the time."""
        self.starts.append(time.perf_counter())

    def on_train_end(self, trainer: Trainer, task: Task) -> None:
        """Note the time; the last epoch's checkpoint is written by now."""
        self.starts.append(time.perf_counter())


class KerasEpochClock(keras.callbacks.Callback):
    """The times at which each epoch starts and the last one ends, under `keras.Model.fit`."""

    def __init__(self) -> None:
        super().__init__()
        self.starts: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
        """Note the time."""
        self.starts.append(time.perf_counter())

    def on_train_end(self, logs: object = None) -> None:
        """Note the time."""
        self.starts.append(time.perf_counter())


def timed(run: Callable[[], None], starts: list[float]) -> Timing:
    """Time a run that appends to `starts` when each epoch starts and when the last one ends.

    An epoch lasts until the next one starts: what lies between two epochs (a checkpoint, a row) is
    part of it.
    """
    start = time.perf_counter()
    run()
    whole = time.perf_counter() - start
    return Timing(later_epoch(starts), whole)


def later_epoch(starts: list[float]) -> float:
    """Return the mean seconds of an epoch, without the first, which holds tracing."""
    return statistics.fmean(after - before for before, after in itertools.pairwise(starts[1:]))


def per_step(timings: list[Timing], steps: int) -> list[Timing]:
    """Return timings divided by the steps of an epoch."""
    return [Timing(timing.epoch / steps, timing.whole / steps) for timing in timings]


def median_timing(timings: list[Timing]) -> Timing:
    """Return the median of the epochs and of the whole runs."""
    return Timing(
        statistics.median(timing.epoch for timing in timings),
        statistics.median(timing.whole for timing in timings),
    )


def speed(of: list[Timing], to: list[Timing]) -> float:
    """Return how many times as fast one contender is as another: the median over rounds.

    The two runs of a round lie close together in time, so a machine that is slow for a while slows
    both.
    """
    return statistics.median(b.epoch / a.epoch for a, b in zip(of, to, strict=True))


def alternate(
    contenders: dict[str, Callable[[], Timing]], runs: int, *, warm_up: bool = True
) -> tuple[dict[str, Timing], dict[str, list[Timing]]]:
    """Run all contenders `runs` times in one process, in turn, every other round in reverse order.

    With `warm_up`, one unmeasured round goes first: it pays for what a process does once.

    Returns:
        Medians, and all single runs.
    """
    rounds: dict[str, list[Timing]] = {name: [] for name in contenders}
    for turn in range(-1 if warm_up else 0, runs):
        for name in list(contenders) if turn % 2 else reversed(contenders):
            keras.utils.clear_session()
            timing = contenders[name]()
            if turn >= 0:
                rounds[name].append(timing)
    return {name: median_timing(timings) for name, timings in rounds.items()}, rounds


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@contextlib.contextmanager
def trainer_folder() -> Iterator[str]:
    """Yield a folder for a Trainer's files; its progress bar is drawn in full, into memory."""
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.redirect_stdout(_Terminal()),
        contextlib.redirect_stderr(_Terminal()),
    ):
        yield folder


def table(header: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def spread(timings: list[Timing]) -> str:
    """Return the smallest and the largest epoch relative to the median."""
    epochs = [timing.epoch for timing in timings]
    median = statistics.median(epochs)
    return f"{min(epochs) / median:.2f} to {max(epochs) / median:.2f}"


def cpu_flags() -> set[str]:
    """Return the CPU's features as Linux names them; empty elsewhere."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    return set(next((line for line in lines if line.startswith("flags")), "").split())


def machine() -> str:
    """Describe the machine and the versions behind the figures."""
    amx = "with AMX" if "amx_bf16" in cpu_flags() else "without AMX"
    return (
        f"{os.cpu_count()} CPU cores ({platform.machine()}, {amx}), Python "
        f"{platform.python_version()}, TensorFlow {tf.__version__}, Keras {keras.__version__}"
    )


def arguments(description: str, runs: int = 5, only: Sequence[str] = ()) -> argparse.Namespace:
    """Parse the command line that all benchmarks share.

    Args:
        description: Of the benchmark.
        runs: How often each contender runs by default.
        only: Names of its parts, of which `--only` takes some.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--runs", type=int, default=runs, help=f"alternating runs, {runs}")
    parser.add_argument("--write", action="store_true", help="put the result into RESULTS.md")
    parser.add_argument("--check", action="store_true", help="fail where a target is missed")
    parser.add_argument("--quick", action="store_true", help="less work, targets with slack")
    if only:
        help = "of the parts, these alone"
        parser.add_argument("--only", nargs="+", choices=only, default=only, help=help)
    return parser.parse_args()


def report(name: str, text: str, targets: list[Target], options: argparse.Namespace) -> None:
    """Print a result; write and check it where the command line asks for that.

    Args:
        name: Of the benchmark's file, without its ending; the name of the section.
        text: Markdown.
        targets: The ratios to reach.
        options: From `arguments`.
    """
    if options.quick:
        targets = [target.with_slack(QUICK_SLACK) for target in targets]
    verdicts = "\n".join(f"- {target}" for target in targets)
    section = f"## {name}\n\n{machine()}; runs: {options.runs}, medians.\n\n{text}\n\n{verdicts}\n"
    print(section)
    if options.write:
        write(name, section)
    if options.check and not all(target.is_met for target in targets):
        raise SystemExit(1)


def write(name: str, section: str) -> None:
    """Put a section into RESULTS.md, replacing the one of that name."""
    before = RESULTS.read_text() if RESULTS.exists() else ""
    sections = {part.split("\n", 1)[0]: f"## {part.strip()}\n" for part in before.split("## ")[1:]}
    sections[name] = section
    title = "# Results\n\nWritten by `python benchmarks/NAME.py --write`.\n"
    RESULTS.write_text("\n".join([title, *(sections[key] for key in sorted(sections))]))
