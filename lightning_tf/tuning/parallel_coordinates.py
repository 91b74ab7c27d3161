"""draw_parallel_coordinates: trials as lines through an axis for each thing that was tried."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from lightning_tf.tuning.search_space import Choices, Range, Values

MOST_TICKS = 5
LOWEST_SHARE = 0.12  # of alpha and color: the worst trial is still seen
INSET = 0.08  # of the first and last choice from the ends of their axis
SPREAD = 0.05  # of the lines through one choice, which would lie on each other
MOST_REACH = 4  # of the value's axis: so often the way from the best to the median trial

Line = tuple[Mapping[str, Any], float, bool, int]  # labels, value, whether pruned, number


def draw_parallel_coordinates(
    axes: Any,
    space: Mapping[str, Values],
    lines: Sequence[Line],
    *,
    monitor: str,
    mode: str,
    best: int | None,
) -> None:
    """Draw one line a trial; color, width and opacity follow its rank.

    Args:
        axes: Of matplotlib.
        space: What was searched; an axis for each name.
        lines: What was drawn by name, the value, whether it was pruned, and the trial's number.
        monitor: The name of the value, of the last axis.
        mode: ``min`` or ``max``; the better end is up.
        best: The number of the trial to point out.
    """
    import matplotlib

    ranked = sorted(lines, key=lambda line: line[1], reverse=mode == "min")  # the best is on top
    ends, is_cut = _ends([value for _, value, _, _ in ranked])
    colors = matplotlib.colormaps["viridis_r"]
    for rank, (labels, value, is_pruned, number) in enumerate(ranked):
        heights = [_height(each, labels.get(name), number) for name, each in space.items()]
        heights.append(max(0.0, (value - ends[0]) / (ends[1] - ends[0])))
        share = LOWEST_SHARE + (1 - LOWEST_SHARE) * (rank + 1) / len(ranked)
        is_best = number == best
        axes.plot(
            range(len(heights)),
            heights,
            color="black" if is_best else colors(share),
            alpha=1.0 if is_best else 0.25 + 0.65 * share,
            linewidth=3.5 if is_best else 0.7 + 1.3 * share,
            linestyle=(0, (4, 3)) if is_pruned else "-",
            zorder=3 if is_best else 2,
        )
        if is_best:
            axes.annotate(
                f"best: trial {number}\n{monitor} {value:.4g}",
                (len(heights) - 1, heights[-1]),
                textcoords="offset points",
                xytext=(-8, 10),
                ha="right",
                va="bottom",
                weight="bold",
                fontsize=9,
            )

    for position, (name, each) in enumerate(space.items()):
        title = name.rpartition(".")[2] + "\n(log)" * (isinstance(each, Range) and each.log)
        _axis(axes, position, title, _ticks(each))
    ticks = [(i / 4, _number(ends, i / 4)) for i in range(5)]
    if is_cut:
        ticks[0] = (0.0, f"{ticks[0][1]} or worse")
    _axis(axes, len(space), monitor, ticks, on_right=True)

    pruned = "; dashed: ended early" * any(is_pruned for _, _, is_pruned, _ in lines)
    axes.text(-0.3, 1.08, f"darker and wider: better{pruned}", fontsize=8, va="bottom")
    axes.set(xlim=(-0.35, len(space) + 0.55), ylim=(-0.06, 1.22))
    axes.set_axis_off()


def _ends(ranked: Sequence[float]) -> tuple[tuple[float, float], bool]:
    """Return the ends of the value's axis, and whether worse values lie beyond the first.

    Args:
        ranked: Values, the best last.
    """
    if not ranked:
        return (0.0, 1.0), False
    worst, median, best = ranked[0], ranked[(len(ranked) - 1) // 2], ranked[-1]
    if worst == best:
        return (best - 0.5, best + 0.5), False

    # Trials that went wrong would press all others into one point.
    reach = MOST_REACH * (median - best) or worst - best
    is_cut = abs(worst - best) > abs(reach)
    return (best + (reach if is_cut else worst - best), best), is_cut


def _height(values: Values, label: Any, number: int) -> float:
    if label is None:  # another process has just begun it
        return math.nan
    if isinstance(values, Range):
        return values.share(label)
    apart = SPREAD * (number * 0.618 % 1 - 0.5)  # the golden ratio spreads any count evenly
    return _height_of_choice(values, label) + apart


def _height_of_choice(values: Choices, label: str) -> float:
    return INSET + (1 - 2 * INSET) * values.share(label)


def _axis(
    axes: Any,
    position: int,
    title: str,
    ticks: Sequence[tuple[float, str]],
    on_right: bool = False,
) -> None:
    axes.plot([position, position], [0, 1], color="0.3", linewidth=1, zorder=1)
    axes.text(position, -0.05, title, ha="center", va="top", fontsize=10, weight="bold")
    side, shift = ("left", 0.03) if on_right else ("right", -0.03)
    for height, text in ticks:
        axes.plot([position - 0.012, position + 0.012], [height, height], color="0.3", linewidth=1)
        axes.text(
            position + shift,
            height,
            text,
            ha=side,
            va="center",
            fontsize=8,
            zorder=4,
            bbox={"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 0.6},
        )


def _ticks(values: Values) -> list[tuple[float, str]]:
    """Return heights in [0, 1] and what stands there."""
    if isinstance(values, Choices):
        return [(_height_of_choice(values, label), label) for label in values.by_label]
    if values.log:
        first, last = math.ceil(math.log10(values.low)), math.floor(math.log10(values.high))
        decades = range(first, last + 1, max(1, math.ceil((last - first + 1) / MOST_TICKS)))
        ticks = {values.share(10.0**each): f"{10.0**each:g}" for each in decades}
        return sorted(({0.0: f"{values.low:g}", 1.0: f"{values.high:g}"} | ticks).items())
    if values.is_integer and values.high - values.low < MOST_TICKS:
        return [(values.share(n), str(n)) for n in range(int(values.low), int(values.high) + 1)]
    ends = (values.low, values.high)
    return [(i / 4, _number(ends, i / 4)) for i in range(5)]


def _number(ends: tuple[float, float], share: float) -> str:
    return f"{ends[0] + (ends[1] - ends[0]) * share:.3g}"
