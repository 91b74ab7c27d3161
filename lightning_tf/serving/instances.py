"""Instances: what a request holds, as a task reads it; a subclass for each kind of input."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lightning_tf.exceptions import LightningTFError
from lightning_tf.predictor import Predictor
from lightning_tf.serving.limits import Limits
from lightning_tf.serving.request_error import WRONG_DATA, WRONG_TYPE, RequestError

if TYPE_CHECKING:
    from lightning_tf.data.sources.new_examples import NewExamples
    from lightning_tf.task import Task

log = logging.getLogger("lightning_tf")

# What pandas and NumPy raise for cells that they were not made for.
OF_VALUES = (ValueError, TypeError, ArithmeticError, LookupError)


@dataclass
class Named:
    """Something of a request, and what a message and an answer call it.

    Attributes:
        value: As `Instances.checked` or `Instances.of_file` returned it.
        name: ``instance 3``, or the name of a file.
        file: The name of the file; None of JSON.
    """

    value: Any
    name: str
    file: str | None = None


class Instances:
    """Base of what the instances of a request can be.

    Args:
        predictor: Of the task.
        limits: What a request may hold.

    Attributes:
        wanted: What an instance is, for people.
        files: What a file is, for people; empty where no files are taken.
    """

    wanted = ""
    files = ""

    def __init__(self, predictor: Predictor, limits: Limits) -> None:
        self.predictor, self.limits = predictor, limits

    @property
    def task(self) -> Task:
        """The task that is served."""
        return self.predictor.task

    def schema(self) -> dict[str, Any]:
        """Return JSON Schema of an instance."""
        raise NotImplementedError(f"{type(self).__name__} lacks schema; return JSON Schema.")

    def example(self) -> Any:
        """Return an instance that can be sent; None where nobody knows one."""
        return None

    def details(self) -> dict[str, Any]:
        """Return what a client should know of the task beside that."""
        return {}

    def checked(self, value: Any) -> Any:
        """Return an instance of JSON as the task may be given it: never a path or a name.

        Raises:
            RequestError: It is something else; the message goes behind the instance's name.
        """
        raise NotImplementedError(f"{type(self).__name__} lacks checked; return what is read.")

    def of_file(self, name: str, content: bytes) -> Any:
        """Return the content of a file as the task may be given it.

        Raises:
            RequestError: There is no such file for this task.
        """
        raise RequestError(WRONG_TYPE, f"{type(self.task).__name__} reads no files; send JSON.")

    def check_all(self, given: Sequence[Named]) -> None:
        """Refuse what is too large together."""

    def predict(self, given: Sequence[Named]) -> list[dict[str, Any]]:
        """Return a prediction for each instance, in their order.

        Raises:
            RequestError: One cannot be read; its name is told.
        """
        examples = self.read(given)
        if self.task.finds_several:
            examples = examples.named(row=range(len(given)))
        records = self.predictor.table(examples, self.outputs(examples)).records()
        if self.task.finds_several:
            records = grouped(records, len(given))
        return [named(record, item) for record, item in zip(records, given, strict=True)]

    def outputs(self, examples: NewExamples) -> Any:
        """Return what the task predicts of examples that it can read."""
        return self.predictor.outputs(examples)

    def warm_up(self) -> None:
        """Trace the step, so that no request waits for it."""
        example = self.example()
        if example is not None:
            self.predict([Named(self.checked(example), "example")])

    def read(self, given: Sequence[Named]) -> NewExamples:
        """Return what was given as examples; where it cannot be read, look for the culprit."""
        try:
            return self.examples([item.value for item in given])
        except (LightningTFError, *OF_VALUES) as error:
            reason = error
        for item in given if len(given) > 1 else ():
            try:
                self.examples([item.value])
            except (LightningTFError, *OF_VALUES) as error:
                raise self.unreadable(error, item.name) from error
        raise self.unreadable(reason, given[0].name if len(given) == 1 else "") from reason

    def examples(self, values: list[Any]) -> NewExamples:
        """Return checked instances as examples."""
        return self.predictor.read(values)

    def unreadable(self, error: Exception, name: str) -> RequestError:
        """Return the error for a client: the package's own sentence, and no other library's."""
        where = f"{name}: " if name else ""
        if isinstance(error, LightningTFError):
            return RequestError(WRONG_DATA, f"{where}{error}")
        log.warning("a request cannot be read: %s: %s", type(error).__name__, error)
        return RequestError(WRONG_DATA, f"{where}it cannot be read; give {self.wanted}")


def grouped(records: list[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """Return what was found in each of several examples: records, or none.

    Example:
        >>> grouped([{"row": 1, "label": "cat"}], 2)
        [{'row': 0, 'records': []}, {'row': 1, 'records': [{'label': 'cat'}]}]
    """
    found: list[dict[str, Any]] = [{"row": row, "records": []} for row in range(count)]
    for record in records:
        rest = {name: value for name, value in record.items() if name != "row"}
        found[record["row"]]["records"].append(rest)
    return found


def named(record: dict[str, Any], item: Named) -> dict[str, Any]:
    """Return a prediction under the name of its file, where it has one."""
    if item.file is None:
        return record
    return {"file": item.file, **{k: v for k, v in record.items() if k not in ("row", "text")}}


def checked_text(value: Any, most: int) -> str:
    """Return a text of a request.

    Raises:
        RequestError: It is none, too long, or holds half a character.
    """
    if not isinstance(value, str):
        raise RequestError(WRONG_DATA, f"it is a {json_type(value)}; give a text.")
    if len(value) > most:
        raise RequestError(WRONG_DATA, f"it has {len(value)} characters; at most {most} are read.")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise RequestError(WRONG_DATA, "it holds half of a surrogate pair.") from None
    return value


def json_type(value: Any) -> str:
    """Return what JSON calls a value.

    Example:
        >>> json_type(None), json_type(1.5), json_type([])
        ('null', 'number', 'list')
    """
    names = {bool: "boolean", int: "number", float: "number", str: "text", dict: "object"}
    return "null" if value is None else names.get(type(value), "list")
