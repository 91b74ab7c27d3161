"""ArrayStatistics: shape, type and range of what the batches of a split hold under one name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


class ArrayStatistics:
    """What is seen of one array over all batches.

    Example:
        >>> statistics = ArrayStatistics()
        >>> statistics.add(np.array([[0.5, np.nan], [2.0, 1.0]], np.float32))
        >>> print(statistics)
        float32 (2,), 0.5 to 2, mean 1.167, 1 missing
    """

    def __init__(self) -> None:
        self.dtype = ""
        self.shape: list[int | None] = []
        self.low, self.high = np.inf, -np.inf
        self.sum, self.count = 0.0, 0
        self.missing = 0

    def add(self, array: NDArray[Any]) -> None:
        """Look at the array of a batch, of shape (examples, ...)."""
        sizes = array.shape[1:]
        known = self.shape if self.dtype else list(sizes)
        self.shape = [old if old == new else None for old, new in zip(known, sizes, strict=True)]
        self.dtype = "text" if array.dtype == object else str(array.dtype)

        values = _numbers(array)
        finite = values[np.isfinite(values)]
        self.missing += int(np.isnan(values).sum()) if array.dtype != object else 0
        if array.dtype == object:
            self.missing += int((values == 0).sum())
        if len(finite):
            self.low = min(self.low, float(finite.min()))
            self.high = max(self.high, float(finite.max()))
            self.sum, self.count = self.sum + float(finite.sum()), self.count + len(finite)

    def __str__(self) -> str:
        """Return all of it in one line."""
        shape = ", ".join("?" if size is None else str(size) for size in self.shape)
        shape += "," * (len(self.shape) == 1)
        kind = f"{self.dtype} ({shape})" if self.shape else self.dtype
        if not self.count:
            return kind
        of = " characters" if self.dtype == "text" else ""
        missing = f", {self.missing} {'empty' if of else 'missing'}" if self.missing else ""
        mean = self.sum / self.count
        return f"{kind}, {self.low:.4g} to {self.high:.4g}{of}, mean {mean:.4g}{missing}"


def named_arrays(
    nest: Any, name: str, columns: Mapping[str, Sequence[str]] | None = None
) -> Iterator[tuple[str, NDArray[Any]]]:
    """Yield the arrays of a nest of dicts, tuples and lists, each with a name.

    Args:
        nest: Of a batch.
        name: Of the whole.
        columns: Names of the columns of the arrays of these names, which are yielded one by one.

    Example:
        >>> [name for name, _ in named_arrays({"a": np.zeros(1), "b": (np.ones(1),)}, "input")]
        ['input a', 'input b 0']
    """
    if isinstance(nest, Mapping):
        for key, value in nest.items():
            yield from named_arrays(value, f"{name} {key}", columns)
    elif isinstance(nest, (tuple, list)):
        for place, value in enumerate(nest):
            yield from named_arrays(value, f"{name} {place}", columns)
    elif columns is not None and name in columns and np.ndim(nest) == 2:
        yield from zip(columns[name], np.asarray(nest).T, strict=True)
    elif nest is not None:
        yield name, np.asarray(nest)


def _numbers(array: NDArray[Any]) -> NDArray[np.float64]:
    """Return what can be compared: the numbers themselves, or the lengths of texts."""
    if array.dtype == object:
        texts = (cell.decode("utf-8", "replace") for cell in array.ravel())
        return np.array([len(text) for text in texts], np.float64)
    return array.ravel().astype(np.float64)
