"""Lineage: which run a fit belongs to, and how often it was resumed."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self


@dataclass(frozen=True)
class Lineage:
    """The run of a fit, kept by every process that goes on with it.

    What order checkpoints have in a run needs no clock: those of a later attempt are newer.

    Attributes:
        run_id: Drawn when a run begins anew.
        attempt: How often it was resumed before.

    Example:
        >>> Lineage("f00d").resumed({"run_id": "beef", "attempt": 1})
        Lineage(run_id='beef', attempt=2)
    """

    # Of the system's own source: the seed's generators stay where they are.
    run_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    attempt: int = 0

    def resumed(self, run: Mapping[str, Any]) -> Self:
        """Return the lineage of a fit that goes on from a checkpoint's plain data."""
        return type(self)(str(run.get("run_id") or self.run_id), int(run.get("attempt", 0)) + 1)
