"""Orders and splits of examples, as arrays of indices."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.exceptions import ConfigurationError, DataError

Indices = NDArray[np.int64]


def epoch_order(indices: Indices, seed: int, epoch: int) -> Indices:
    """Shuffle `indices` by a pure function of (seed, epoch).

    `RandomState` is used because NumPy guarantees its streams for ever; those of `Generator` may
    change between versions, and with them the batches of a resumed run.

    Example:
        >>> epoch_order(np.arange(5), seed=0, epoch=0)
        array([2, 0, 3, 4, 1])
    """
    return np.random.RandomState([seed, epoch]).permutation(indices)


def split_indices(
    count: int,
    fractions: Sequence[float],
    seed: int,
    labels: NDArray[np.integer] | None = None,
) -> list[Indices]:
    """Split ``range(count)`` by seed into parts that never overlap.

    With labels, each part has every class in its proportion, to within about one example: a
    class's examples, in random order, are spread evenly over [0, 1) from a random start
    (systematic sampling; Madow and Madow 1944, https://doi.org/10.1214/aoms/1177731312), and a
    part takes a stretch of that line.

    Args:
        count: How many examples there are.
        fractions: The share of each held-out part; the rest is the first part that is returned.
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
    line = random.permutation(count)
    if labels is not None:
        line = line[np.argsort(_places(labels[line], random), kind="stable")]
    ends = np.floor(np.cumsum(fractions) * count + 0.5).astype(np.int64)
    *held_out, rest = np.split(line, ends)
    return [np.sort(part) for part in (rest, *held_out)]


def held_out_fractions(
    given: Collection[str], val_fraction: float | None, test_fraction: float | None
) -> dict[str, float]:
    """The share of ``train`` that each part takes which the data do not bring.

    Args:
        given: The parts that the data bring.
        val_fraction: Share for validation; None means 0.1.
        test_fraction: Share for testing; None means 0.

    Raises:
        ConfigurationError: A part is given and has a fraction too, or nothing is left of ``train``.

    Example:
        >>> held_out_fractions(["train", "test"], None, None)
        {'val': 0.1}
    """
    fractions = {}
    for name, fraction, usual in (("val", val_fraction, 0.1), ("test", test_fraction, 0.0)):
        if name not in given:
            fractions[name] = usual if fraction is None else fraction
        elif fraction is not None:
            raise ConfigurationError(
                f"{name}_fraction is {fraction!r}, but the data bring their own {name} part; "
                "drop one of them."
            )
    _check_fractions(fractions.values())
    return fractions


def split_rows(
    given: dict[str, Indices],
    labels: NDArray[Any] | None,
    val_fraction: float | None,
    test_fraction: float | None,
    seed: int,
    class_names: Sequence[str] | None = None,
) -> dict[str, Indices]:
    """Hold out of ``train`` what is missing: 0.1 for ``val``, nothing for ``test`` by default.

    Args:
        given: Indices of the examples of ``train`` and of parts that the data bring themselves.
        labels: The class of every example, by index, or None.
        val_fraction: Share of ``train`` to hold out for validation; None means the default.
        test_fraction: Share of ``train`` to hold out for testing; None means the default.
        seed: Decides who goes where.
        class_names: For messages; the numbers where None.

    Returns:
        What was given, with a smaller ``train`` and the missing parts.

    Raises:
        ConfigurationError: A part is given and has a fraction too, or `split_indices` refuses.

    Example:
        >>> parts = split_rows({"train": np.arange(10)}, None, 0.2, None, seed=0)
        >>> {name: len(indices) for name, indices in parts.items()}
        {'train': 8, 'val': 2, 'test': 0}
    """
    fractions = held_out_fractions(given, val_fraction, test_fraction)
    train = given["train"]
    classes = None if labels is None else labels[train]
    if classes is not None and any(fractions.values()):
        _refuse_single(classes, class_names)
    rest, *held_out = split_indices(len(train), list(fractions.values()), seed, classes)
    split = dict(zip(fractions, held_out, strict=True))
    return {**given, "train": train[rest]} | {name: train[part] for name, part in split.items()}


def _check_fractions(fractions: Collection[float]) -> None:
    if any(not 0 <= fraction < 1 for fraction in fractions) or sum(fractions) >= 1:
        raise ConfigurationError(
            f"The held-out fractions are {list(fractions)}; give numbers of at least 0 "
            "whose sum is below 1."
        )


def _refuse_single(classes: NDArray[Any], names: Sequence[str] | None) -> None:
    """A class's only example would be trained on or held out, as the seed decides."""
    found, counts = np.unique(classes, return_counts=True)
    single = found[counts == 1]
    if len(single):
        name = single[0] if names is None else repr(names[single[0]])
        raise DataError(
            f"class {name} has one example, which cannot be both trained on and held out; add "
            "examples, leave the class out, or hold nothing out with val_fraction=0."
        )


def _places(labels: NDArray[np.integer], random: np.random.RandomState) -> NDArray[np.float64]:
    places = np.empty(len(labels))
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        places[members] = (np.arange(len(members)) + random.rand()) / len(members)
    return places
