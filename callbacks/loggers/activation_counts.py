"""ActivationCounts: histograms of what layers give in training, and which units never fire."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf

from lightning_tf.keras_internals import flat_layers
from lightning_tf.step_context import current_step_context
from lightning_tf.task import Task
from lightning_tf.variables import OBSERVED, shown_components

LAYERS = (
    keras.layers.Activation,
    keras.layers.ReLU,
    keras.layers.LeakyReLU,
    keras.layers.PReLU,
    keras.layers.ELU,
)
UNCOUNTED = -1.0  # a share that nothing was measured of
DYING = (keras.activations.relu, keras.activations.relu6)  # whose units can end at 0 for ever


class ActivationCounts:
    """Counts, in the compiled step, the outputs of every layer that applies an activation.

    They are those of the batch that is trained on, of one replica where there are several. Layers
    without one, such as a Dense before an Activation, are left out, as are a recurrent layer's
    cells.

    Args:
        task: Whose layers.
        count: Returns the row of a tensor, of `row_size` numbers.
        row_size: See `count`.
        counts_next: A variable: whether the step is counted.

    Example:
        >>> counts = ActivationCounts(task, count, 66, tf.Variable(True))  # before the trace
        >>> counts.rows["model.00.activation"].numpy()  # after the step
    """

    def __init__(
        self, task: Task, count: Callable[[Any], tf.Tensor], row_size: int, counts_next: Any
    ) -> None:
        self._count, self._counts_next = count, counts_next
        self.rows: dict[str, Any] = {}
        self._dead: dict[str, Any] = {}
        self._layers: list[Any] = []
        for name, layer in _activated(task):
            self.rows[name] = _observed(tf.zeros([row_size]))
            if _activation_of(layer) in DYING:
                self._dead[name] = _observed(UNCOUNTED)
            # Every call of the layer passes here, whoever calls it.
            layer.call = self._counting(layer.call, name)
            self._layers.append(layer)

    def dead_units(self) -> dict[str, float]:
        """Return, of each layer of ReLUs, the share that was 0 for all examples of the batch.

        Layers that no counted step has called are left out.
        """
        shares = {name: float(share.numpy()) for name, share in self._dead.items()}
        return {name: share for name, share in shares.items() if share != UNCOUNTED}

    def detach(self) -> None:
        """Leave the layers."""
        for layer in self._layers:
            if "call" in vars(layer):
                del layer.call
        self._layers = []

    def _counting(self, call: Callable[..., Any], name: str) -> Callable[..., Any]:
        def counted_call(*args: Any, **kwargs: Any) -> Any:
            outputs = call(*args, **kwargs)
            context = current_step_context()
            if context is None or context.minimize is None or not tf.is_tensor(outputs):
                return outputs  # not in training

            def count() -> int:
                values = tf.stop_gradient(outputs)  # (batch, ..., units)
                self.rows[name].assign(self._count(values))
                if name in self._dead:
                    axes = list(range(values.shape.rank - 1))
                    silent = tf.reduce_all(tf.equal(values, 0), axes)  # (units,)
                    self._dead[name].assign(tf.reduce_mean(tf.cast(silent, tf.float32)))
                return 0

            # Skips the counting on the device at all other updates.
            tf.cond(self._counts_next, count, lambda: 0)
            return outputs

        return counted_call


def _observed(value: Any) -> Any:
    """Return a variable that no checkpoint holds."""
    return tf.Variable(value, trainable=False, name=OBSERVED)


def _activated(task: Task) -> Iterator[tuple[str, Any]]:
    """Yield the layers that apply an activation, each once, by a name that stays."""
    seen: set[int] = set()
    for path, component in shown_components(task):
        if not isinstance(component, keras.Layer):
            continue
        layers = [layer for layer in flat_layers(component) if _activation_of(layer) is not None]
        for index, layer in enumerate(each for each in layers if id(each) not in seen):
            seen.add(id(layer))
            yield f"{path}.{index:02d}.{re.sub(r'_[0-9]+$', '', layer.name)}", layer


def _activation_of(layer: Any) -> Any:
    """Return the function that a layer applies to its outputs; None where it applies none."""
    if isinstance(layer, keras.layers.ReLU):
        return keras.activations.relu
    activation = getattr(layer, "activation", None)
    is_cell = hasattr(layer, "state_size") and not isinstance(layer, keras.layers.RNN)
    if is_cell or activation is keras.activations.linear:
        return None
    return layer if activation is None and isinstance(layer, LAYERS) else activation
