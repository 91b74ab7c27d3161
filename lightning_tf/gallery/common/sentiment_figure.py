"""sentiment_figure: a map of words, their neighbours, one review in color, and two comparisons."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lightning_tf.tasks import TextExplanation

ON_MAP, NAMED = 600, 16  # most frequent words; of those the ones with a name, at each end
FIRST_RANK = 100  # words before it stand in every text
COLUMNS = 90  # characters of a line of the review
STRONG = 0.25  # of the largest score; as in the page of HTML
FOR, AGAINST = (37 / 255, 99 / 255, 235 / 255), (217 / 255, 119 / 255, 6 / 255)


def sentiment_figure(
    vectors: Any,
    nearest: Mapping[str, Sequence[tuple[str, float]]],
    review: TextExplanation,
    accuracies: Mapping[str, float],
    drops: Mapping[str, float],
) -> Any:
    """Return the figure.

    Args:
        vectors: `WordVectors`.
        nearest: Words and cosines, by word.
        review: To be drawn.
        accuracies: By what the network reads.
        drops: Of the probability, by which words are deleted.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 10.5), layout="constrained")
    grid = figure.add_gridspec(4, 2, height_ratios=(3.2, 1.2, 1.5, 1.1))
    _draw_map(figure.add_subplot(grid[0, :]), vectors)
    _draw_nearest(figure.add_subplot(grid[1, :]), nearest)
    _draw_review(figure.add_subplot(grid[2, :]), review)
    _draw_bars(figure.add_subplot(grid[3, 0]), accuracies, "test accuracy", "{:.3f}")
    _draw_bars(
        figure.add_subplot(grid[3, 1]), drops, "probability lost with a tenth of words", "{:.3f}"
    )
    return figure


def _draw_map(axes: Any, vectors: Any) -> None:
    """Draw two principal components of words that are frequent, without the most frequent."""
    chosen = slice(FIRST_RANK, FIRST_RANK + ON_MAP)
    values, weights = vectors.vectors[chosen], vectors.weights[chosen]
    centered = values - values.mean(axis=0)
    _, sizes, directions = np.linalg.svd(centered, full_matrices=False)
    x, y = (centered @ directions[:2].T).T
    x = x * np.sign(np.corrcoef(x, weights)[0, 1])  # positive words at the right

    for sign, marker, color, name in ((1, "^", FOR, "positive"), (-1, "v", AGAINST, "negative")):
        these = np.sign(weights) == sign
        axes.scatter(x[these], y[these], marker=marker, color=color, s=14, alpha=0.5, label=name)
    order = np.argsort(weights)
    _place_names(axes, np.concatenate([order[:NAMED], order[-NAMED:]]), x, y, vectors.words[chosen])
    shares = sizes[:2] ** 2 / (sizes**2).sum()
    axes.set_xlabel(f"first principal component, {100 * shares[0]:.0f} % of the variance")
    axes.set_ylabel(f"second, {100 * shares[1]:.0f} %")
    axes.legend(title="weight of the word", loc="lower center", fontsize=8, ncols=2)
    axes.set_title("a map of 600 frequent words", fontsize=10)
    reach = 1.75 * np.abs(x).max()  # room for the names
    axes.set_xlim(-reach, reach)


def _place_names(axes: Any, places: Any, x: Any, y: Any, words: Sequence[str]) -> None:
    """Write names in two columns' worth of free heights, each with a line to its point."""
    for side in (-1, 1):
        of_side = sorted((p for p in places if np.sign(x[p]) == side), key=lambda p: y[p])
        heights = np.linspace(y.min(), y.max(), max(2, len(of_side)))
        for place, height in zip(of_side, heights, strict=False):
            axes.annotate(
                words[place],
                (x[place], y[place]),
                (1.25 * side * np.abs(x).max(), height),
                fontsize=8,
                ha="left" if side > 0 else "right",
                va="center",
                arrowprops={"arrowstyle": "-", "color": "gray", "linewidth": 0.4},
            )


def _draw_nearest(axes: Any, nearest: Mapping[str, Sequence[tuple[str, float]]]) -> None:
    axes.set_axis_off()
    axes.set_title("nearest words, and the cosine of their vectors", fontsize=10)
    step = 1 / len(nearest)
    for row, (word, others) in enumerate(nearest.items()):
        y = 1 - (row + 0.5) * step
        text = "   ".join(f"{other} {cosine:.2f}" for other, cosine in others)
        axes.text(0.01, y, word, weight="bold", fontsize=9, va="center")
        axes.text(0.15, y, text, fontsize=9, va="center")


def _draw_review(axes: Any, review: TextExplanation) -> None:
    """Draw the words in their colors, bold and underlined for, bracketed italics against."""
    strengths = review.scores / np.abs(review.scores).max()
    column, line = 0, 0
    for word, strength in zip(review.words, strengths, strict=True):
        is_for, is_against = strength >= STRONG, strength <= -STRONG
        shown = f"[{word}]" if is_against else word
        if column + len(shown) > COLUMNS:
            column, line = 0, line + 1
        axes.text(
            column,
            -line,
            shown,
            family="monospace",
            fontsize=7.5,
            va="center",
            weight="bold" if is_for else "normal",
            style="italic" if is_against else "normal",
            bbox={
                "facecolor": (*(FOR if strength > 0 else AGAINST), 0.5 * abs(float(strength))),
                "edgecolor": "none",
                "pad": 1.5,
            },
        )
        if is_for:
            axes.plot((column, column + len(shown)), (-line - 0.3,) * 2, color="black", lw=1)
        column += len(shown) + 1
    axes.set_xlim(0, COLUMNS)
    axes.set_ylim(-line - 0.8, 0.8)
    axes.set_axis_off()
    title = f"a review: {review.class_name} {review.probability:.2f}; underlined for, [...] against"
    axes.set_title(title, fontsize=10)


def _draw_bars(axes: Any, values: Mapping[str, float], title: str, form: str) -> None:
    bars = axes.barh(list(values), list(values.values()), color=("tab:blue", "lightgray"))
    axes.bar_label(bars, [form.format(value) for value in values.values()], padding=3, fontsize=9)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.2 * max(values.values()))
    axes.set_title(title, fontsize=10)
