"""Verification: what training again between two checkpoints of a run has shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

SHOWN = 10


@dataclass(frozen=True)
class TensorDifference:
    """A tensor whose bits differ from those of a checkpoint.

    Attributes:
        name: In the checkpoint, such as ``task.model.0000.kernel``.
        numbers: How many of its numbers differ; all where the shape or dtype does.
        of: How many it has.
        largest: The largest difference; None where there is none to tell.
    """

    name: str
    numbers: int
    of: int
    largest: float | None

    def __str__(self) -> str:
        """Say it in a line."""
        by = "" if self.largest is None else f", by up to {self.largest:.3g}"
        return f"{self.name}: {self.numbers} of {self.of} numbers{by}"


@dataclass
class Verification:
    """What training again from one checkpoint to others has shown, bit for bit.

    Attributes:
        start: The checkpoint from which training began; None is the beginning of the run.
        compared: The checkpoints that were reached, in their order, and how each tensor that
            differs does so; an empty list where every bit is the same.
        unreached: Checkpoints that training did not come to, with the reason.
        tensors: How many each checkpoint holds.
        reasons: Why bits may differ; empty where none do.

    Example:
        >>> print(Trainer(max_epochs=2, seed=0).verify(task, "a.ckpt", "b.ckpt"))
    """

    start: str | None
    compared: dict[str, list[TensorDifference]] = field(default_factory=dict)
    unreached: dict[str, str] = field(default_factory=dict)
    tensors: int = 0
    reasons: list[str] = field(default_factory=list)

    @property
    def is_exact(self) -> bool:
        """Whether every checkpoint was reached with the same bits."""
        return bool(self.compared) and not self.unreached and not any(self.compared.values())

    @property
    def first_different(self) -> str | None:
        """The first checkpoint that differs; None where none does."""
        return next((path for path, found in self.compared.items() if found), None)

    def __str__(self) -> str:
        """Say what was compared, where the first difference is, and why it may be."""
        began = "the beginning of the run" if self.start is None else self.start
        lines = [f"trained again from {began}"]
        for path, found in self.compared.items():
            what = f"{len(found)} of {self.tensors} tensors differ" if found else "the same bits"
            lines.append(f"  {path}: {what}")
            if path == self.first_different:
                lines += [f"    {difference}" for difference in found[:SHOWN]]
                lines += [f"    ... {len(found) - SHOWN} more"] if len(found) > SHOWN else []
        lines += [f"  {path}: not reached, {reason}" for path, reason in self.unreached.items()]
        if self.is_exact:
            lines.append(f"reproduced: {self.tensors} tensors, every bit")
        if self.reasons:
            lines += ["why it may be:", *(f"  - {reason}" for reason in self.reasons)]
        return "\n".join(lines)


def tensor_differences(
    now: Mapping[str, np.ndarray], then: Mapping[str, np.ndarray]
) -> list[TensorDifference]:
    """Return the tensors whose bits differ, in the order of the model.

    Args:
        now: As training again has made them.
        then: As the checkpoint holds them.

    Example:
        >>> tensor_differences({"a": np.float32([1, 2])}, {"a": np.float32([1, 2.5])})[0].numbers
        1
    """
    found = []
    for name in dict.fromkeys([*now, *then]):
        if name not in now or name not in then:
            size = (now if name in now else then)[name].size
            found.append(TensorDifference(name, size, size, None))
        elif now[name].shape != then[name].shape or now[name].dtype != then[name].dtype:
            found.append(TensorDifference(name, then[name].size, then[name].size, None))
        elif now[name].tobytes() != then[name].tobytes():
            found.append(_difference(name, now[name], then[name]))
    return found


def _difference(name: str, now: np.ndarray, then: np.ndarray) -> TensorDifference:
    # As bytes: a NaN equals itself, 0 and -0 do not.
    width = now.dtype.itemsize
    rows = [np.ascontiguousarray(array).reshape(-1).view(np.uint8) for array in (now, then)]
    numbers = int((rows[0] != rows[1]).reshape(-1, width).any(axis=1).sum())
    with np.errstate(invalid="ignore"):
        gap = np.abs(now.astype(np.float64) - then.astype(np.float64))
    largest = float(np.nanmax(gap)) if np.isfinite(gap).any() else None
    return TensorDifference(name, numbers, now.size, largest)
