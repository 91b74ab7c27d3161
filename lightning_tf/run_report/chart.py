"""Chart: a panel as the numbers of an SVG drawing."""

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from lightning_tf.run_report.comparison import number
from lightning_tf.run_report.curves import Curve, Panel

SIZE = (480, 270)
LEFT, RIGHT, TOP, BOTTOM = 62, 468, 12, 228
BOX = {"left": LEFT, "right": RIGHT, "top": TOP, "bottom": BOTTOM}
LOG_FROM = 1000.0  # highest by lowest: below, a linear axis shows both
STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
MARKERS = 8  # of a curve, about; all of a short one
# Around (0, 0). A run's shape, so that colors are not the only sign.
SHAPES = (
    "m-3.5 0a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0-7 0z",
    "m-3.2-3.2h6.4v6.4h-6.4z",
    "m0-4.4l4.2 7.4h-8.4z",
    "m0-4.6l4.6 4.6l-4.6 4.6l-4.6-4.6z",
    "m0 4.4l4.2-7.4h-8.4z",
    "m-1.4-4.2h2.8v2.8h2.8v2.8h-2.8v2.8h-2.8v-2.8h-2.8v-2.8h2.8z",
)
COLORS = 8
KIND_WORDS = {"train": "train", "epoch": "train, mean of the epoch", "val": "val", "other": ""}


@dataclass
class Line:
    """A curve as it is drawn."""

    run: int
    kind: str
    path: str
    markers: str
    warnings: list[float]  # where a value is not finite


class Chart:
    """Scales a panel to an SVG of 480 x 270.

    Args:
        panel: The curves.
        labels: Of the runs.
        in_epochs: Whether the axis below counts epochs; else updates.

    Example:
        >>> Chart(panel, ["version_0"], True).x_ticks
        [(62.0, '0'), (197.3, '1'), (332.7, '2'), (468.0, '3')]
    """

    def __init__(self, panel: Panel, labels: Sequence[str], in_epochs: bool) -> None:
        self.panel, self.labels = panel, labels
        self.axis = "epochs done" if in_epochs else "updates"
        xs = [x for curve in panel.curves for x, _, _ in (*curve.points, *curve.not_finite)]
        self._x = _widened(0.0 if in_epochs else min(xs), max(xs))

        ys = [y for curve in panel.curves for _, y, _ in curve.points]
        self.is_log = bool(ys) and min(ys) > 0.0 and max(ys) / min(ys) >= LOG_FROM
        if self.is_log:
            ys = [math.log10(y) for y in ys]
        low, high = _widened(min(ys, default=0.0), max(ys, default=1.0))
        margin = 0.04 * (high - low)
        self._y = (low - margin, high + margin)

    @property
    def name(self) -> str:
        """The metric."""
        return self.panel.name

    @cached_property
    def lines(self) -> list[Line]:
        """All curves."""
        return [self._line(curve) for curve in self.panel.curves]

    @property
    def x_ticks(self) -> list[tuple[float, str]]:
        """Place and text of the ticks below, whole numbers all."""
        values = nice_ticks(*self._x, 6, whole=True)
        return [(round(self._px(value), 1), f"{value:.0f}") for value in values]

    @property
    def y_ticks(self) -> list[tuple[float, str]]:
        """Place and text of the ticks at the left."""
        low, high = self._y
        if self.is_log:
            values = nice_ticks(low, high, 5, whole=True)
            return [(round(self._scaled(value), 1), f"1e{value:.0f}") for value in values]
        return [(round(self._scaled(v), 1), number(v)) for v in nice_ticks(low, high, 5)]

    @property
    def description(self) -> str:
        """The curves in words, for those who do not see them."""
        sentences = [f"{self.name} over {self.axis}."]
        for curve in self.panel.curves:
            values = [y for _, y, _ in curve.points]
            if values:
                first, last = number(values[0]), number(values[-1])
                sentences.append(
                    f"{self.label(curve)}: from {first} to {last}, lowest {number(min(values))}, "
                    f"highest {number(max(values))}."
                )
        return " ".join(sentences)

    @property
    def remarks(self) -> list[str]:
        """What the drawing does not show, a sentence each."""
        remarks = ["Logarithmic axis."] if self.is_log else []
        thinned = [curve for curve in self.panel.curves if curve.thinned]
        if thinned:
            drawn, count = (sum(f(c) for c in thinned) for f in (_drawn, _count))
            remarks.append(
                f"{drawn} of {count} points are drawn: of each stretch the lowest and the highest."
            )
        for curve in self.panel.curves:
            if curve.not_finite:
                _, value, step = curve.not_finite[0]
                count = len(curve.not_finite)
                many = f"{count} values are" if count > 1 else "one value is"
                remarks.append(
                    f"{self.label(curve)}: {many} not drawn (not finite, or beyond 1e300), "
                    f"the first {value} at update {step}."
                )
        return remarks

    @property
    def data(self) -> dict[str, Any]:
        """What shows values under the pointer: the scale, and every curve's points."""
        return {
            "x": self._x,
            "axis": self.axis,
            "curves": [
                {
                    "run": curve.run,
                    "label": self.label(curve),
                    "x": [float(f"{x:.6g}") for x, _, _ in curve.points],
                    "y": [number(y) for _, y, _ in curve.points],
                    "step": [step for _, _, step in curve.points],
                }
                for curve in self.panel.curves
            ],
        }

    def label(self, curve: Curve) -> str:
        """Return the run and the stage of a curve."""
        return " ".join(filter(None, (self.labels[curve.run], KIND_WORDS[curve.kind])))

    def _line(self, curve: Curve) -> Line:
        pixels = [(self._px(x), self._py(y)) for x, y, _ in curve.points]
        gaps = sorted(step for _, _, step in curve.not_finite)
        path: list[str] = []
        before = -1
        for (x, y), (_, _, step) in zip(pixels, curve.points, strict=True):
            # A line over a value that is none would show one.
            broken = bisect_left(gaps, step) > bisect_left(gaps, before)
            path.append(f"{'L' if path and not broken else 'M'}{x:.1f} {y:.1f}")
            before = step

        every = max(1, math.ceil(len(pixels) / MARKERS)) if len(pixels) > 2 * MARKERS else 1
        shape = SHAPES[curve.run % len(SHAPES)]
        marked = [*pixels[::every], *pixels[-1:]]
        markers = "".join(f"M{x:.1f} {y:.1f}{shape}" for x, y in marked)
        warnings = [round(self._px(x), 1) for x, _, _ in curve.not_finite[:50]]
        return Line(curve.run, self._style(curve), "".join(path), markers, warnings)

    def _style(self, curve: Curve) -> str:
        """Return the kind, that of rows in the background only where a mean stands before them."""
        has_mean = any(c.run == curve.run and c.kind == "epoch" for c in self.panel.curves)
        return "other" if curve.kind == "train" and not has_mean else curve.kind

    def _px(self, x: float) -> float:
        low, high = self._x
        return LEFT + (x - low) / (high - low) * (RIGHT - LEFT)

    def _py(self, y: float) -> float:
        return self._scaled(math.log10(y) if self.is_log else y)

    def _scaled(self, y: float) -> float:
        low, high = self._y
        return BOTTOM - (y - low) / (high - low) * (BOTTOM - TOP)


def nice_ticks(low: float, high: float, most: int, whole: bool = False) -> list[float]:
    """Return multiples of 1, 2, 2.5 or 5 times a power of ten between two numbers.

    Args:
        low: The lower end.
        high: The upper end.
        most: How many there may be, about.
        whole: Whether only whole numbers do.

    Example:
        >>> nice_ticks(0.0, 3.0, 6, whole=True)
        [0.0, 1.0, 2.0, 3.0]
    """
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in STEPS if power * factor >= rough * 0.999)
    if whole:
        step = float(max(1, math.ceil(step)))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [index * step for index in range(first, last + 1)]


def _widened(low: float, high: float) -> tuple[float, float]:
    """Return two ends that differ, also beyond what floats of their size can tell apart."""
    if high - low > 1e-9 * max(abs(low), abs(high), 1e-300):
        return low, high
    size = abs(high) * 0.5 or 0.5
    return low - size, high + size


def _drawn(curve: Curve) -> int:
    return len(curve.points)


def _count(curve: Curve) -> int:
    return curve.count
