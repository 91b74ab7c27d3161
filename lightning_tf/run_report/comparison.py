"""What runs differ in: their last and best values, and their hyperparameters."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lightning_tf.callbacks.loggers.best_values import BestValues
from lightning_tf.run_report.curves import SYSTEM
from lightning_tf.run_report.run_record import RunRecord

ORDER = ("test/", "val/", "train/")
SECRET = re.compile(r"api_?key|token$|password|passwd|secret|credential|auth$", re.IGNORECASE)
IN_JSON = re.compile(
    r"""(?P<name>["'](?P<key>[^"']+)["']\s*:\s*)(?P<value>"[^"]*"|'[^']*'|[^,}\]\[{]+)"""
)
IN_URL = re.compile(r"(?P<user>\w+://[^/\s:@]+:)[^@/\s]+@")
HIDDEN = "(hidden)"
OF_AN_OBJECT = {"type"}  # how hyperparameters record what is no plain data
ABSENT = "\N{EN DASH}"


@dataclass
class Value:
    """A metric of one run.

    Attributes:
        last: As a text, an en dash where it was not logged.
        best: The same of the best value; empty where nothing says what is better.
        step: The update of the best one.
        leads: Whether no other run has a better one.
    """

    last: str
    best: str = ""
    step: int | None = None
    leads: bool = False


@dataclass
class Setting:
    """A hyperparameter, as a text for each run."""

    name: str
    values: list[str]

    @property
    def differs(self) -> bool:
        """Whether the runs do not agree."""
        return len(set(self.values)) > 1

    @property
    def of_trainer(self) -> bool:
        """Whether it is an argument of the Trainer instead of the task."""
        return self.name.startswith("trainer.")


def compare_metrics(runs: Sequence[RunRecord]) -> list[tuple[str, str, list[Value]]]:
    """Return every metric: its name, ``min``, ``max`` or nothing, and its value in each run."""
    last: list[dict[str, float]] = []
    best: list[BestValues] = []
    for run in runs:
        values, bests = {}, BestValues()
        bests.modes.update(run.modes)
        for row in run.rows:
            values.update(row.values)
            bests.update_from_row(row.values, row.step)
        last.append(values)
        best.append(bests)

    names = dict.fromkeys(name for values in last for name in values)
    table = []
    for name in sorted(names, key=_rank):
        if name.startswith(SYSTEM):
            continue
        mode = next((b.mode(name) for b in best if b.mode(name)), "")
        bests_of_name = [b.values.get(name) for b in best]
        leader = _leader([pair[0] for pair in bests_of_name if pair], mode)
        values_of_name = [
            _value(values.get(name), pair, leader)
            for values, pair in zip(last, bests_of_name, strict=True)
        ]
        table.append((name, mode, values_of_name))
    return table


def compare_system(runs: Sequence[RunRecord]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the mean and the highest value of every figure of the machine, for each run."""
    columns: dict[str, list[list[float]]] = {}
    for number, run in enumerate(runs):
        for row in run.rows:
            for name, value in row.values.items():
                if name.startswith(SYSTEM) and math.isfinite(value):
                    columns.setdefault(name, [[] for _ in runs])[number].append(value)
    return [
        (name, [_mean_and_most(values) for values in of_runs]) for name, of_runs in columns.items()
    ]


def compare_hparams(hparams: Sequence[Mapping[str, Any]]) -> list[Setting]:
    """Return every hyperparameter under its dotted name; values of secrets are hidden."""
    flat = [_flat(each) for each in hparams]
    names = dict.fromkeys(name for each in flat for name in each)
    return [Setting(name, [each.get(name, ABSENT) for each in flat]) for name in names]


def hide_secrets(words: Sequence[str]) -> list[str]:
    """Return a command's words without what options such as ``--api_key`` are given.

    Example:
        >>> hide_secrets(["train.py", "--api_key", "abc", "--token=abc"])
        ['train.py', '--api_key', '(hidden)', '--token=(hidden)']
    """
    shown: list[str] = []
    for word in words:
        option, equals, _ = word.partition("=")
        if equals and SECRET.search(option):
            shown.append(f"{option}={HIDDEN}")
        elif shown and shown[-1].startswith("-") and SECRET.search(shown[-1].partition("=")[0]):
            shown.append(word if "=" in shown[-1] else HIDDEN)
        else:
            shown.append(hide_in_text(word))
    return shown


def hide_in_text(text: str) -> str:
    """Return a text without passwords in URLs, and without values of secrets in JSON.

    Example:
        >>> hide_in_text("postgres://me:abc@host/db"), hide_in_text('{"api_key": "abc"}')
        ('postgres://me:(hidden)@host/db', '{"api_key": (hidden)}')
    """

    def hidden(found: re.Match[str]) -> str:
        return found["name"] + (HIDDEN if SECRET.search(found["key"]) else found["value"])

    return IN_URL.sub(rf"\g<user>{HIDDEN}@", IN_JSON.sub(hidden, text))


def number(value: float) -> str:
    """Return a number in at most six digits."""
    return f"{value:.6g}"


def _flat(hparams: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    flat = {}
    for key, value in hparams.items():
        name = f"{prefix}{key}"
        if SECRET.search(str(key)) and value is not None:
            flat[name] = HIDDEN
        elif isinstance(value, dict) and value and set(value) != OF_AN_OBJECT:
            flat.update(_flat(value, f"{name}."))
        else:
            flat[name] = hide_in_text(_text(value))
    return flat


def _text(value: Any) -> str:
    """Return JSON, without the quotes of a text; of what is no plain data, its type."""
    if isinstance(value, dict) and set(value) == OF_AN_OBJECT:
        return str(value["type"])
    if isinstance(value, list) and any(isinstance(each, dict) for each in value):
        return ", ".join(map(_text, value))
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _rank(name: str) -> int:
    return next((i for i, stage in enumerate(ORDER) if name.startswith(stage)), len(ORDER))


def _leader(values: Sequence[float], mode: str) -> float | None:
    if len(values) < 2:
        return None
    return min(values) if mode == "min" else max(values)


def _value(last: float | None, pair: tuple[float, int] | None, leader: float | None) -> Value:
    value = Value(ABSENT if last is None else number(last))
    if pair is not None:
        value.best, value.step, value.leads = number(pair[0]), pair[1], pair[0] == leader
    return value


def _mean_and_most(values: Sequence[float]) -> tuple[str, str]:
    if not values:
        return ABSENT, ABSENT
    return number(math.fsum(values) / len(values)), number(max(values))
