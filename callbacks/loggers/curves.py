"""Curves of a run's metrics in one image."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Points = tuple[list[int], list[float]]
Panels = dict[str, dict[str, Points]]
"""By metric, then by kind (a key of STYLES): steps and values."""

NO_METRIC = ("step", "epoch")
COLUMNS = 3
MOST_PANELS = 30  # a panel costs 40 ms and most of a MiB, and nobody finds one among hundreds
DPI = 100
PANEL = (4.5, 3.2)  # inches
LEGEND = 0.3  # above the panels
TICKS = 4  # of an axis, about; drawing them takes most of the time
ROUND = [1, 2, 2.5, 5, 10]  # what ticks are multiples of, as in Matplotlib
# The mean of an epoch is drawn over the rows inside it, which are noisy.
STYLES: dict[str, dict[str, Any]] = {
    "train": {"color": "tab:blue", "alpha": 0.35, "linewidth": 1.0},
    "train, epoch": {"color": "tab:blue", "marker": ".", "linewidth": 1.5},
    "val": {"color": "tab:orange", "marker": ".", "linewidth": 1.5},
    "": {"color": "tab:green", "marker": ".", "linewidth": 1.0},
}


def draw_curves(record: Path, image: Path) -> bool:
    """Draw the metrics of a record over the updates, training and validation in one panel.

    Args:
        record: The CSV file of a `CSVLogger` or the lines of a `JSONLinesLogger`: ``step``, and
            metrics such as ``train/loss``, ``train/loss_epoch`` and ``val/loss``.
        image: The PNG file to write.

    Returns:
        Whether there was anything to draw.

    Example:
        >>> draw_curves(Path("runs/version_0/metrics.csv"), Path("curves.png"))
    """
    panels = read_curves(record)
    if panels:
        curves_figure(panels).savefig(image, dpi=DPI, pil_kwargs={"compress_level": 1})
    return bool(panels)


def curves_figure(panels: Panels) -> Figure:
    """Return a figure with a panel for each metric, of many for 30: those of validation first.

    Args:
        panels: Of one metric or more; see `add_row`.
    """
    from matplotlib.figure import Figure  # without pyplot there is no global state to clean up

    count = len(panels)
    panels = _first_panels(panels)
    columns = min(COLUMNS, len(panels))
    rows = math.ceil(len(panels) / columns)
    width, height = PANEL[0] * columns, PANEL[1] * rows + LEGEND
    figure = Figure(figsize=(width, height))

    # Fixed margins in inches: a layout engine draws everything twice, 0.1 s at the end of a fit.
    figure.subplots_adjust(
        left=0.6 / width,
        right=1 - 0.15 / width,
        bottom=0.5 / height,
        top=1 - (0.35 + LEGEND) / height,
        wspace=0.22,
        hspace=0.4,
    )

    if len(panels) < count:
        text = f"{len(panels)} of {count} metrics"
        figure.text(0.1 / width, 1 - 0.1 / height, text, va="top", fontsize=9)
    for index, (name, curves) in enumerate(panels.items()):
        _draw_panel(figure.add_subplot(rows, columns, index + 1), name, curves)

    # One legend for all panels: inside a panel it would lie over curves.
    lines = {line.get_label(): line for axes in figure.axes for line in axes.lines}
    kinds = [kind for kind in STYLES if kind in lines]
    if kinds:
        handles = [lines[kind] for kind in kinds]
        figure.legend(handles, kinds, loc="upper center", ncols=len(kinds), frameon=False)
    return figure


def _first_panels(panels: Panels) -> Panels:
    """Return the panels that are drawn, in their order."""
    validated_first = sorted(panels, key=lambda name: "val" not in panels[name])
    drawn = set(validated_first[:MOST_PANELS])
    return {name: curves for name, curves in panels.items() if name in drawn}


def read_curves(record: Path) -> Panels:
    """Return the curves of a record."""
    panels: Panels = {}
    with record.open(newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file) if record.suffix == ".csv" else _rows_of_lines(file)

        for row in rows:
            add_row(panels, row, int(row["step"]))
    return panels


def add_row(panels: Panels, row: Mapping[str, Any], step: int) -> None:
    """Add the values of a row to their curves; those of a test are none.

    Args:
        panels: What is added to.
        row: Numbers, as texts too, by their column; an empty text is none.
        step: The update that they are of.
    """
    for column, cell in row.items():
        if column in NO_METRIC or column.startswith("test/") or cell == "":
            continue
        name, kind = _name_and_kind(column)
        steps, values = panels.setdefault(name, {}).setdefault(kind, ([], []))
        steps.append(step)
        values.append(float(cell))


def _rows_of_lines(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    for line in map(json.loads, lines):
        if line["kind"] == "metrics":
            yield {name: value for name, value in line.items() if name not in ("kind", "time")}


def _name_and_kind(column: str) -> tuple[str, str]:
    """Return the panel of a column and its kind in the panel."""
    stage, _, name = column.partition("/")
    if stage == "train" and name.endswith("_epoch"):
        return name.removesuffix("_epoch"), "train, epoch"
    return (name, stage) if stage in STYLES and name else (column, "")


def _draw_panel(axes: Axes, name: str, curves: dict[str, Points]) -> None:
    from matplotlib.ticker import FixedLocator, MaxNLocator

    for kind, style in STYLES.items():
        if kind in curves:
            steps, values = curves[kind]
            # A line through a single point would not be seen.
            marked = {**style, "marker": "o"} if len(steps) == 1 else style
            axes.plot(steps, values, label=kind or "_alone", **marked)  # its title names it
    axes.set_title(name, y=1.0)  # without y, all labels are measured: they might reach the title

    axes.set_xlabel("update")
    for axis in (axes.xaxis, axes.yaxis):
        low, high = sorted(axis.get_view_interval())
        # An update is a whole number.
        whole = {"integer": True, "min_n_ticks": 1} if axis is axes.xaxis else {}
        locator = MaxNLocator(TICKS, steps=ROUND, **whole)
        ticks = locator.tick_values(low, high)
        # Locators make ticks beyond both ends, which nobody would see.
        axis.set_major_locator(FixedLocator([x for x in ticks if low <= x <= high]))
    axes.grid(alpha=0.3)
