"""FileNameTemplate: names of checkpoints from the position and metrics of a run."""

import os
from collections.abc import Iterator, Mapping
from string import Formatter
from typing import Any

from lightning_tf.exceptions import ConfigurationError, nearest

POSITION_NAMES = ("epoch", "step")  # what a name may hold besides metrics


class FileNameTemplate:
    """A checkpoint's name, such as ``"{epoch}-{val_loss:.3f}"``.

    Args:
        text: Fields are ``epoch``, ``step`` and metrics, with Python's format specifications.
        with_names: Write ``val_loss=0.123`` instead of ``0.123``.

    Raises:
        ConfigurationError: A brace is not closed, or a field has no name or an unfit format.

    Example:
        >>> FileNameTemplate("{epoch:02d}-{val_loss:.3f}").fill({"epoch": 3, "val_loss": 0.1234})
        'epoch=03-val_loss=0.123'
    """

    def __init__(self, text: str, with_names: bool = True) -> None:
        self.text, self.with_names = text, with_names

        try:
            fields = {field for _, field, _ in self._parts() if field is not None}
            self.metrics = fields - {*POSITION_NAMES}
            # A trial finds a format that does not fit before training does.
            self.fill({**dict.fromkeys(self.metrics, 0.0), **dict.fromkeys(POSITION_NAMES, 0)})
        except ValueError as error:
            raise ConfigurationError(
                f"filename={text!r}: {error}; write fields as {{epoch}} or {{val_loss:.3f}}."
            ) from None

    def _parts(self) -> Iterator[tuple[str, str | None, str]]:
        for literal, field, form, conversion in Formatter().parse(self.text):
            if field == "" or conversion:
                raise ValueError("a field needs a name, and no conversion")
            yield literal, field, form or ""

    def fill(self, values: Mapping[str, Any]) -> str:
        """Return the name for these values.

        A ``/`` becomes ``_``, so that the name leads into no other folder.
        """
        name = ""
        for literal, field, form in self._parts():
            name += literal
            if field is not None:
                name += f"{field}=" if self.with_names else ""
                name += format(values[field], form)
        return name.replace("/", "_").replace(os.sep, "_")

    def check(self, names: set[str]) -> None:
        """Refuse a template with a metric that nothing logs.

        Raises:
            ConfigurationError: Names the field, and what is known.
        """
        for unknown in sorted(self.metrics - names):
            raise ConfigurationError(
                f"filename={self.text!r}: nothing logs {unknown!r}."
                f"{nearest(unknown, {*POSITION_NAMES, *names})}"
            )
