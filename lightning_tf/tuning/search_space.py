"""search_space: the values that a search may try, from the text or list of each name."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from lightning_tf.checks import describe, is_number
from lightning_tf.exceptions import ConfigurationError

RANGE = re.compile(r"\s*(?P<low>\S+?)\s*\.\.\s*(?P<high>\S+)(?P<words>(?:\s+\S+)*)\s*")
WORDS = re.compile(r"(?P<log>\s+log)?(?:\s+(?P<points>\d+)(?:\s+points?)?)?(?P<log_last>\s+log)?")
SCIENTIFIC = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)[eE][+-]?\d+")
MOST_POINTS = 1000
FORMS = "give LOW..HIGH, LOW..HIGH log, LOW..HIGH 5 points, or choices such as mlp,convnet"


@dataclass(frozen=True)
class Range:
    """Numbers between two bounds, both of which may be drawn.

    Attributes:
        low: The lower bound.
        high: The upper one.
        log: Whether every decade is as likely as another.
        is_integer: Whether only integers are drawn.
        points: How many values a grid has; None are all integers.
    """

    low: float
    high: float
    log: bool = False
    is_integer: bool = False
    points: int | None = None

    def suggest(self, trial: Any, name: str) -> float:
        """Return the value of an `optuna.Trial`."""
        draw = trial.suggest_int if self.is_integer else trial.suggest_float
        return draw(name, self.low, self.high, log=self.log)  # type: ignore[no-any-return]

    def grid(self, name: str) -> list[float]:
        """Return the values of a grid.

        Raises:
            ConfigurationError: The number of points is open.
        """
        if self.points is None and (self.log or not self.is_integer):
            raise ConfigurationError(
                f"search {name}={self}: a grid needs the number of points of a range, such as "
                f"'{self} 5 points'."
            )
        if self.points is None:
            return list(range(int(self.low), int(self.high) + 1))

        shares = [i / (self.points - 1) for i in range(self.points)]
        values = [self.at(share) for share in shares]
        return list(dict.fromkeys(map(round, values))) if self.is_integer else values

    def at(self, share: float) -> float:
        """Return the value at a share of the way from low to high."""
        if share in (0, 1):  # exactly the bounds, which rounding would leave
            return self.high if share else self.low
        if self.log:
            return float(self.low * (self.high / self.low) ** share)
        return self.low + (self.high - self.low) * share

    def share(self, value: float) -> float:
        """Return how far from low to high a value is, in [0, 1]."""
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def value(self, drawn: Any) -> Any:
        """Return what a task gets for a value that was drawn."""
        return drawn

    @property
    def ends(self) -> list[float]:
        """The values at the ends of what can be drawn."""
        return [self.low, self.high]

    def __str__(self) -> str:
        points = "" if self.points is None else f" {self.points} points"
        return f"{self.low}..{self.high}{' log' * self.log}{points}"


@dataclass(frozen=True)
class Choices:
    """Values of any kind, one of which is chosen.

    Attributes:
        by_label: The value of each text that names it.
    """

    by_label: Mapping[str, Any]

    def suggest(self, trial: Any, name: str) -> str:
        """Return the label that an `optuna.Trial` chooses."""
        return trial.suggest_categorical(name, list(self.by_label))  # type: ignore[no-any-return]

    def grid(self, name: str) -> list[str]:
        """Return all labels."""
        return list(self.by_label)

    def share(self, label: str) -> float:
        """Return where a choice stands among all, in [0, 1]."""
        return list(self.by_label).index(label) / (len(self.by_label) - 1)

    def value(self, label: Any) -> Any:
        """Return what a task gets for a label."""
        return self.by_label[label]

    @property
    def ends(self) -> list[Any]:
        """All values."""
        return list(self.by_label.values())

    def __str__(self) -> str:
        return ",".join(self.by_label)


Values = Range | Choices


def search_space(search: Mapping[str, Any]) -> dict[str, Values]:
    """Return what a search may try, by name.

    Args:
        search: By name a text, ``0.0001..0.1 log``, ``1..6``, ``0.0..0.5 3 points`` or
            ``mlp,convnet``, or a list of choices. A range whose bounds are both written as integers
            draws integers. ``points`` are those of a grid.

    Raises:
        ConfigurationError: A text is no range, bounds are reversed, or there is nothing to choose.

    Example:
        >>> search_space({"learning_rate": "0.0001..0.1 log", "units": [64, 128]})["units"].grid("")
        ['64', '128']
    """
    if not search:
        raise ConfigurationError(
            "a search needs something to try, such as learning_rate: 0.0001..0.1 log."
        )
    return {name: _values(f"search {name}={_text(v)}", v) for name, v in search.items()}


def _values(what: str, value: Any) -> Values:
    is_range = isinstance(value, str) and ".." in value and "," not in value  # nor ../digits,iris
    if is_range:
        match = RANGE.fullmatch(value)
        words = WORDS.fullmatch(match["words"].rstrip()) if match is not None else None
        is_unclear = "..." in value or "_" in value  # 1...5 could be from 1 to 0.5
        if is_unclear or match is None or words is None or (words["log"] and words["log_last"]):
            raise ConfigurationError(f"{what} is no range; {FORMS}.")
        is_log = bool(words["log"] or words["log_last"])
        return _range(what, match["low"], match["high"], is_log, words["points"])
    return _choices(what, value)


def _range(what: str, low: str, high: str, is_log: bool, points: str | None) -> Range:
    try:
        numbers = [float(low), float(high)]
    except ValueError:
        raise ConfigurationError(f"{what}: the bounds are no numbers; {FORMS}.") from None
    is_integer = all(re.fullmatch(r"[+-]?\d+", bound) for bound in (low, high))
    if not all(map(math.isfinite, numbers)):
        raise ConfigurationError(f"{what}: give bounds that are finite.")
    if not numbers[0] < numbers[1]:
        raise ConfigurationError(f"{what}: the second bound must be above the first.")
    if is_log and numbers[0] <= 0:
        raise ConfigurationError(f"{what}: a logarithmic range begins above 0.")
    if points is not None and not 2 <= int(points) <= MOST_POINTS:
        raise ConfigurationError(f"{what}: give at least 2 points and at most {MOST_POINTS}.")
    if is_integer:
        numbers = [int(low), int(high)]
    return Range(
        numbers[0], numbers[1], is_log, is_integer, None if points is None else int(points)
    )


def _choices(what: str, value: Any) -> Choices:
    if isinstance(value, str):
        # The outer brackets may be there already, around choices that have commas themselves.
        text = value if value.strip().startswith("[") and _reads_as_list(value) else f"[{value}]"
        try:
            value = [_number(each) for each in yaml.safe_load(text)]
        except yaml.YAMLError:
            raise ConfigurationError(f"{what}: the choices cannot be read; {FORMS}.") from None
    if isinstance(value, Mapping) or not isinstance(value, Sequence):
        raise ConfigurationError(f"{what} got {describe(value)}; {FORMS}.")
    by_label = {_text(each): each for each in value}
    if len(by_label) < max(2, len(value)):
        which = "one choice is no search" if len(value) < 2 else "some choices are the same"
        raise ConfigurationError(f"{what}: {which}; give at least 2 that differ, or set it.")
    return Choices(by_label)


def _reads_as_list(text: str) -> bool:
    try:
        return isinstance(yaml.safe_load(text), list)
    except yaml.YAMLError:
        return False


def _number(value: Any) -> Any:
    """Return 1e-4 as a number, which YAML has as a text."""
    is_number_in_text = isinstance(value, str) and SCIENTIFIC.fullmatch(value)
    return float(value) if is_number_in_text else value


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None or is_number(value) or isinstance(value, (bool, list, tuple, dict)):
        return json.dumps(value, default=str)
    return str(value)
