"""Curves of several runs, one panel for each metric, thinned where there are too many points."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from lightning_tf.run_report.epochs import Epochs
from lightning_tf.run_report.run_record import RunRecord

MOST_POINTS = 300  # of a drawn curve: more than a panel has pixels to show
LARGEST = 1e300  # the difference of two larger numbers may be infinite
STAGES = {"train": "train", "val": "val"}
SYSTEM, TEST = "device/", "test/"  # of a test there is one value, which the table has


@dataclass
class Curve:
    """One column of one run.

    Attributes:
        run: Its number on the page.
        kind: train, epoch, val or other.
        points: Epochs or updates done, value and update of each that is drawn.
        count: How many finite values there are.
        not_finite: Updates at which the value was NaN or infinite, with the value.
    """

    run: int
    kind: str
    points: list[tuple[float, float, int]] = field(default_factory=list)
    count: int = 0
    not_finite: list[tuple[float, float, int]] = field(default_factory=list)

    @property
    def thinned(self) -> bool:
        """Whether some of the points are left out."""
        return len(self.points) < self.count


@dataclass
class Panel:
    """A metric of all runs and stages."""

    name: str
    curves: list[Curve]

    @property
    def is_system(self) -> bool:
        """Whether it tells of the machine instead of the model."""
        return self.name.startswith(SYSTEM)


def read_panels(runs: Sequence[RunRecord], epochs: Sequence[Epochs] | None) -> list[Panel]:
    """Return the panels of all runs, in the order in which they were logged.

    Args:
        runs: In the page's order.
        epochs: Of each run, for an axis of epochs; None for one of updates.
    """
    panels: dict[str, dict[tuple[int, str], Curve]] = {}
    for number, run in enumerate(runs):
        for row in run.rows:
            x = float(row.step) if epochs is None else epochs[number].at(row.step)
            for column, value in row.values.items():
                if column.startswith(TEST):
                    continue
                name, kind = panel_and_kind(column)
                curves = panels.setdefault(name, {})
                curve = curves.setdefault((number, kind), Curve(number, kind))
                points = curve.points if abs(value) <= LARGEST else curve.not_finite
                points.append((x, value, row.step))

    for curves in panels.values():
        for curve in curves.values():
            curve.count = len(curve.points)
            curve.points = thin(curve.points)
    return [Panel(name, list(curves.values())) for name, curves in panels.items()]


def has_curves(run: RunRecord) -> bool:
    """Return whether a run has anything that goes on from update to update."""
    return any(not name.startswith(TEST) for row in run.rows for name in row.values)


def panel_and_kind(column: str) -> tuple[str, str]:
    """Return the panel of a column and which of its curves it is.

    Example:
        >>> panel_and_kind("train/loss_epoch"), panel_and_kind("device/cpu_percent")
        (('loss', 'epoch'), ('device/cpu_percent', 'other'))
    """
    stage, _, name = column.partition("/")
    if stage == "train" and name.endswith("_epoch"):
        return name.removesuffix("_epoch"), "epoch"
    return (name, STAGES[stage]) if stage in STAGES and name else (column, "other")


def thin(
    points: Sequence[tuple[float, float, int]], most: int = MOST_POINTS
) -> list[tuple[float, float, int]]:
    """Return at most so many points; of each stretch the lowest and the highest stay.

    No spike gets lost, which means or every n-th point would hide. The first and the last point
    stay too.
    """
    if len(points) <= most:
        return list(points)

    stretches = (most - 2) // 2
    chosen = {0, len(points) - 1}
    for index in range(stretches):
        begin, end = (len(points) * i // stretches for i in (index, index + 1))
        chosen.add(min(range(begin, end), key=lambda i: points[i][1]))
        chosen.add(max(range(begin, end), key=lambda i: points[i][1]))
    return [points[i] for i in sorted(chosen)]
