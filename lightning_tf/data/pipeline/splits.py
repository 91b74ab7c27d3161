"""Training, validation and test splits, as arrays of indices."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.data.pipeline.order import Indices
from lightning_tf.exceptions import ConfigurationError, DataError

DEFAULT_FRACTIONS = {"val": 0.1, "test": 0.0}


def split_indices(
    count: int,
    fractions: Sequence[float],
    seed: int,
    labels: NDArray[np.integer] | None = None,
) -> list[Indices]:
    """Split ``range(count)`` by seed into pieces that never overlap.

    With labels, each piece has every class in its proportion, to within about one example: a
    class's examples, in random order, are spread evenly over [0, 1) from a random start
    (systematic sampling; Madow and Madow 1944, https://doi.org/10.1214/aoms/1177731312), and a
    piece takes a stretch of that line.

    Args:
        count: How many examples there are.
        fractions: The share of each held-out piece; the rest is the first that is returned.
        seed: Decides who goes where.
        labels: The class of each example, shape (count,); None splits without regard to classes.

    Returns:
        ``len(fractions) + 1`` sorted arrays of indices: the rest, then one for each fraction.

    Raises:
        ConfigurationError: A fraction is outside [0, 1), or nothing is left for the rest.

    Example:
        >>> rest, held_out = split_indices(10, [0.2], seed=0)
        >>> len(rest), len(held_out)
        (8, 2)
    """
    _check_fractions(fractions)
    random = np.random.RandomState(seed)
    line = random.permutation(count)  # (count,)

    # A stable sort keeps the random order among examples of the same place.
    if labels is not None:
        line = line[np.argsort(_places(labels[line], random), kind="stable")]

    # Rounding the cumulated shares, not each share, lets the pieces add up to `count`.
    ends = np.floor(np.cumsum(fractions) * count + 0.5).astype(np.int64)
    *held_out, rest = np.split(line, ends)
    return [np.sort(piece) for piece in (rest, *held_out)]


def held_out_fractions(
    known: Collection[str], val_fraction: float | None, test_fraction: float | None
) -> dict[str, float]:
    """Return the share of ``train`` that each split takes which the data do not bring.

    Args:
        known: The splits that the data bring.
        val_fraction: Share for validation; None means 0.1.
        test_fraction: Share for testing; None means 0.

    Raises:
        ConfigurationError: A split that the data bring has a fraction too, or nothing is left of
            ``train``.

    Example:
        >>> held_out_fractions(["train", "test"], None, None)
        {'val': 0.1}
    """
    fractions = {}
    for name, fraction in (("val", val_fraction), ("test", test_fraction)):
        if name not in known:
            fractions[name] = DEFAULT_FRACTIONS[name] if fraction is None else fraction
        elif fraction is not None:
            raise ConfigurationError(
                f"{name}_fraction is {fraction!r}, but the data bring their own {name} split; "
                "drop one of them."
            )
    _check_fractions(fractions.values())
    return fractions


def hold_out_splits(
    rows: Mapping[str, Indices],
    labels: NDArray[Any] | None,
    val_fraction: float | None,
    test_fraction: float | None,
    seed: int,
    class_names: Sequence[str] | None = None,
) -> dict[str, Indices]:
    """Hold the missing splits out of ``train``: 0.1 for ``val``, nothing for ``test`` by default.

    Args:
        rows: Indices of the examples of ``train`` and of the splits that the data bring themselves.
        labels: The class of every example, by index, or None.
        val_fraction: Share of ``train`` to hold out for validation; None means the default.
        test_fraction: Share of ``train`` to hold out for testing; None means the default.
        seed: Decides who goes where.
        class_names: For messages; the numbers where None.

    Returns:
        `rows` with a smaller ``train`` and the missing splits.

    Raises:
        ConfigurationError: A split that the data bring has a fraction too, or `split_indices`
            refuses.
        DataError: A class has one example, and something is to be held out.

    Example:
        >>> splits = hold_out_splits({"train": np.arange(10)}, None, 0.2, None, seed=0)
        >>> {name: len(indices) for name, indices in splits.items()}
        {'train': 8, 'val': 2, 'test': 0}
    """
    fractions = held_out_fractions(rows, val_fraction, test_fraction)
    train = rows["train"]
    classes = None if labels is None else labels[train]
    if classes is not None and any(fractions.values()):
        _refuse_single(classes, class_names)

    # Both held-out splits in one draw: they never overlap.
    rest, *pieces = split_indices(len(train), list(fractions.values()), seed, classes)
    held_out = {name: train[piece] for name, piece in zip(fractions, pieces, strict=True)}
    return {**rows, "train": train[rest], **held_out}


def consecutive_rows(counts: Mapping[str, int]) -> dict[str, Indices]:
    """Number the examples of splits that lie one after the other.

    Args:
        counts: How many examples each split has, in the order of the splits.

    Example:
        >>> {name: rows.tolist() for name, rows in consecutive_rows({"train": 3, "val": 2}).items()}
        {'train': [0, 1, 2], 'val': [3, 4]}
    """
    ends = np.cumsum([0, *counts.values()])
    return {
        name: np.arange(start, end, dtype=np.int64)
        for name, start, end in zip(counts, ends[:-1], ends[1:], strict=True)
    }


def _check_fractions(fractions: Collection[float]) -> None:
    if any(not 0 <= fraction < 1 for fraction in fractions) or sum(fractions) >= 1:
        raise ConfigurationError(
            f"The held-out fractions are {list(fractions)}; give numbers of at least 0 "
            "whose sum is below 1."
        )


def _refuse_single(classes: NDArray[Any], names: Sequence[str] | None) -> None:
    """Refuse a class's only example: the seed would decide whether it is trained on or held out."""
    codes, counts = np.unique(classes, return_counts=True)
    single = codes[counts == 1]
    if len(single):
        name = single[0] if names is None else repr(names[single[0]])
        raise DataError(
            f"class {name} has one example, which cannot be both trained on and held out; add "
            "examples, leave the class out, or hold nothing out with val_fraction=0."
        )


def _places(labels: NDArray[np.integer], random: np.random.RandomState) -> NDArray[np.float64]:
    """Spread the examples of each class evenly over [0, 1)."""
    places = np.empty(len(labels))
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        # A random start: without it every rare class would be held out, or none.
        places[members] = (np.arange(len(members)) + random.rand()) / len(members)
    return places
