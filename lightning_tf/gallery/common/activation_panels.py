"""draw_activations: histograms of what each layer gives, a row for each network."""

from collections.abc import Mapping
from typing import Any

import numpy as np

SATURATED = 0.95  # of tanh, whose slope is below 0.1 there
VANISHED = 0.01
BARS = 25  # odd: one stands on 0

Row = tuple[Mapping[str, Any], Mapping[str, float]]  # histograms and dead shares, by layer


def draw_activations(rows: Mapping[str, Row]) -> Any:
    """Draw the histograms.

    Args:
        rows: By the network's name the counts and edges of each layer, from the first to the last,
            and the share of its dead units where it has ReLUs.
    """
    from matplotlib.figure import Figure

    columns = max(len(histograms) for histograms, _ in rows.values())
    figure = Figure(figsize=(8, 1.35 * len(rows) + 0.3), layout="constrained")
    grid = figure.subplots(len(rows), columns, squeeze=False)
    of_relu = [h for name, (h, _) in rows.items() if not name.startswith("tanh")]
    widest = max(np.median([edges[-1] for _, edges in h.values()]) for h in of_relu)
    for panels, (name, (histograms, dead)) in zip(grid, rows.items(), strict=True):
        is_tanh = name.startswith("tanh")
        reach = 1.0 if is_tanh else float(widest)
        for axes, (layer, histogram) in zip(panels, histograms.items(), strict=True):
            share = dead.get(layer.replace("activations/", "dead_units/"))
            _draw_layer(axes, histogram, share, is_tanh, reach)
        panels[0].set_ylabel(name.replace(", ", "\n"), fontsize=8)
    for index, axes in enumerate(grid[-1]):
        axes.set_xlabel(f"layer {index + 1}", fontsize=8)
    return figure


def _draw_layer(axes: Any, histogram: Any, dead: float | None, is_tanh: bool, reach: float) -> None:
    counts, edges = histogram
    shown = np.linspace(-reach if is_tanh else 0, reach, BARS + 1)
    at = (edges[:-1] + edges[1:]) / 2 if is_tanh else edges[:-1]  # 0 stays 0
    values = np.clip(at, shown[0], reach)
    axes.bar(
        shown[:-1],
        np.histogram(values, shown, weights=counts)[0],
        width=np.diff(shown),
        align="edge",
        color="#c2570c" if _is_ill(counts, edges, dead) else "#1b5e9b",
    )
    axes.set_title(_verdict(counts, edges, dead), fontsize=7.5)
    axes.set_xlim(-1.08 * reach if is_tanh else -0.03 * reach, 1.08 * reach)
    axes.set_xticks([-1, 0, 1] if is_tanh else [0, float(f"{reach:.1g}")])
    axes.set_yticks([])
    axes.tick_params(labelsize=7)


def share_between(counts: Any, edges: Any, low: float, high: float) -> float:
    """Return the share of values between two bounds, by the middles of their bins."""
    middles = (edges[:-1] + edges[1:]) / 2
    return float(counts[(middles >= low) & (middles <= high)].sum() / counts.sum())


def _verdict(counts: Any, edges: Any, dead: float | None) -> str:
    if dead is not None:
        return f"dead {dead:.0%}"
    vanished = share_between(counts, edges, -VANISHED, VANISHED)
    saturated = 1 - share_between(counts, edges, -SATURATED, SATURATED)
    return f"near 0 {vanished:.0%}" if vanished > saturated else f"saturated {saturated:.0%}"


def _is_ill(counts: Any, edges: Any, dead: float | None) -> bool:
    most = (
        max(
            share_between(counts, edges, -VANISHED, VANISHED),
            1 - share_between(counts, edges, -SATURATED, SATURATED),
        )
        if dead is None
        else dead
    )
    return most > 0.5
