"""LaunchedFit: which fit of which launch runs, so that a restarted program goes on with it."""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping
from dataclasses import dataclass

LAUNCH, RESTART = "LIGHTNING_TF_LAUNCH", "LIGHTNING_TF_RESTART"  # of `launch --max-restarts`
_numbers = itertools.count(1)


@dataclass(frozen=True)
class LaunchedFit:
    """A fit of a program that `lightning-tf launch` may start again.

    A program that is started again makes the same fits in the same order: by launch and number it
    finds what each had saved, and nothing of another launch in the same folder.

    Attributes:
        launch: Of the launcher.
        number: Of the fit in its process, from 1.
        restart: How often the program was started again.

    Example:
        >>> LaunchedFit("7f3a", 1, 0).key
        ['7f3a', 1]
    """

    launch: str
    number: int
    restart: int

    @classmethod
    def begin(cls, environment: Mapping[str, str] | None = None) -> LaunchedFit | None:
        """Return the fit that begins now; None where no launcher would start it again.

        Args:
            environment: Such as ``os.environ``, which it is where None.
        """
        environment = os.environ if environment is None else environment
        launch = environment.get(LAUNCH)
        if not launch:
            return None
        return cls(launch, next(_numbers), int(environment.get(RESTART, "0")))

    @property
    def key(self) -> list[str | int]:
        """Return what its checkpoints hold."""
        return [self.launch, self.number]
