"""VariableRates: factors of the learning rate, variable by variable."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import keras

from lightning_tf.exceptions import ConfigurationError, nearest
from lightning_tf.keras_internals import regrouped_update, wrapped_variable
from lightning_tf.variables import optimizable_variables


class VariableRates:
    """Factors of the learning rate by variable, 1 for most.

    Args:
        factors: By `id` of TensorFlow's variable.
        patterns: By which they were found.

    Attributes:
        patterns: Those, for a checkpoint's record.
    """

    def __init__(
        self,
        factors: Mapping[int, float] | None = None,
        patterns: Mapping[str, float] | None = None,
    ) -> None:
        self._factors, self.patterns = dict(factors or {}), dict(patterns or {})

    def __bool__(self) -> bool:
        """Return whether any factor is another than 1."""
        return any(factor != 1.0 for factor in self._factors.values())

    def factor(self, variable: Any) -> float:
        """Return the factor of a variable of Keras or TensorFlow."""
        return self._factors.get(id(wrapped_variable(variable)), 1.0)

    @classmethod
    def matched(
        cls, patterns: Mapping[str, float], task: object, variables: Sequence[Any], where: str
    ) -> VariableRates:
        """Match patterns with variables; of several that match one variable the first counts.

        Args:
            patterns: Factors by the path of an attribute, such as ``backbone`` or ``model.head``;
                where the task has none, by a regular expression that is searched in the variables'
                own paths, such as ``bias$`` or ``block_[12]/``.
            task: Whose attributes they are.
            variables: Of the optimizer.
            where: Names the optimizer, for messages.

        Raises:
            ConfigurationError: A pattern matches nothing, or is no regular expression.
        """
        factors: dict[int, float] = {}
        for pattern, factor in patterns.items():
            matches = _matches(pattern, task, variables, where)
            if not matches:
                paths = [_path(variable) for variable in variables]
                raise ConfigurationError(
                    f"{where}: learning_rates[{pattern!r}] matches none of its variables."
                    + nearest(pattern, paths)
                )
            for variable in matches:
                factors.setdefault(id(wrapped_variable(variable)), factor)
        return cls(factors, patterns)

    @contextmanager
    def applied(self, optimizer: keras.optimizers.Optimizer) -> Iterator[None]:
        """Let `optimizer.apply` update each group of variables by its rate, inside the block."""
        with regrouped_update(optimizer, self._groups):
            yield

    def _groups(self, variables: Sequence[Any]) -> list[tuple[float, list[int]]]:
        """Return the factors with the positions of their variables."""
        groups: dict[float, list[int]] = {}
        for i, variable in enumerate(variables):
            groups.setdefault(self.factor(variable), []).append(i)
        return list(groups.items())


def _matches(pattern: str, task: object, variables: Sequence[Any], where: str) -> list[Any]:
    part = _attribute(task, pattern)
    if part is not None:
        inside = {id(variable) for variable in optimizable_variables(part)}
        return [variable for variable in variables if id(variable) in inside]
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise ConfigurationError(
            f"{where}: learning_rates[{pattern!r}] is no regular expression: {error}."
        ) from error
    return [variable for variable in variables if expression.search(_path(variable))]


def _attribute(task: object, path: str) -> Any:
    """Return what a path such as ``heads.0`` leads to, or None."""
    part: Any = task
    for name in path.split("."):
        if isinstance(part, (list, tuple)):
            part = part[int(name)] if name.isdigit() and int(name) < len(part) else None
        elif isinstance(part, dict):
            part = part.get(name)
        else:
            part = getattr(part, name, None) if name.isidentifier() else None
    return part


def _path(variable: Any) -> str:
    """Return Keras' path of a variable, with the names of its layers."""
    return str(getattr(variable, "path", variable.name))
