"""FunctionMetric: a host metric of a function of all examples, such as those of scikit-learn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from lightning_tf.exceptions import ConfigurationError, nearest
from lightning_tf.host_metric import HostMetric


class FunctionMetric(HostMetric):
    """Calls a function once for an evaluation, with arrays of all examples in the data's order.

    Args:
        function: Of arrays, such as `sklearn.metrics.cohen_kappa_score`; gives a number, or a dict
            of numbers whose names are in `names`.
        *outputs: What the step collects, by its names, in the order of the function's arguments.
        names: Of the numbers, where the function gives a dict.
        **options: Further arguments of the function.

    Example:
        >>> class Graded(MyTask):
        ...     def configure_host_metrics(self):
        ...         score = sklearn.metrics.cohen_kappa_score
        ...         return {"kappa": FunctionMetric(score, "grades", "guesses", weights="linear")}
        ...
        ...     def validation_step(self, batch):
        ...         x, y = batch
        ...         guesses = tf.argmax(self.model(x), axis=-1)
        ...         return {"loss": self.loss(x, y), "grades": y, "guesses": guesses}
    """

    def __init__(
        self,
        function: Callable[..., float | Mapping[str, float]],
        *outputs: str,
        names: Sequence[str] = (),
        **options: Any,
    ) -> None:
        if not callable(function) or not outputs:
            raise ConfigurationError(
                f"FunctionMetric got {function!r} and {outputs}; give a function and the names of "
                "what the step collects for it."
            )
        self.function, self.outputs, self.names, self.options = function, outputs, names, options
        self._batches: list[Mapping[str, Any]] = []

    def reset(self) -> None:
        """Forget all examples."""
        self._batches = []

    def update(self, outputs: Mapping[str, Any]) -> None:
        """Keep what the function takes of a batch.

        Raises:
            ConfigurationError: The step does not collect it.
        """
        for name in self.outputs:
            if name not in outputs:
                raise ConfigurationError(
                    f"FunctionMetric wants {name!r}, which the step does not collect."
                    f"{nearest(name, outputs)}"
                )
        self._batches.append({name: outputs[name] for name in self.outputs})

    def compute(self) -> float | Mapping[str, float]:
        """Return what the function gives for all examples."""
        arrays = [np.concatenate([b[name] for b in self._batches]) for name in self.outputs]
        return self.function(*arrays, **self.options)
