"""FeatureNetwork: a feed-forward network for rows of a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import groupby
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lightning_tf.checks import checked_integer, is_integer
from lightning_tf.data.tables.feature_columns import FeatureColumns
from lightning_tf.data.tables.feature_table import FeatureTable
from lightning_tf.tasks.common.feature_scaler import FeatureScaler, check_scaler, warn_of_equal
from lightning_tf.tasks.networks.images.layer_factory import LayerFactory


class FeatureNetwork:
    """Hidden layers that are still to be built to the columns of a table.

    Numbers are scaled by weights (see `FeatureScaler`), categories become one of several inputs
    each, and both pass through dense layers (Rumelhart, Hinton and Williams 1986,
    https://doi.org/10.1038/323533a0).

    Args:
        units: Of each hidden layer; none for a linear model.
        activation: Of the hidden layers: a name of `keras.activations` or a callable.
        initializer: Of their kernels, as of `LayerFactory`.
        batch_norm: Whether they are normalised.
        dropout: The rate behind each.
        scaler: ``standard``, ``minmax`` or ``none``.
        embed_above: Columns of more categories than this pass through an embedding (Guo and
            Berkhahn 2016, https://arxiv.org/abs/1604.06737); None embeds none.

    Raises:
        ConfigurationError: A name is unknown or a number is out of range.

    Example:
        >>> FeatureNetwork((16,)).build(FeatureColumns(["a", "b"], {}), 1).model.output_shape
        (None, 1)
    """

    def __init__(
        self,
        units: Sequence[int] = (64, 64),
        activation: str | Callable[[Any], Any] = "relu",
        initializer: str | keras.Initializer = "he_normal",
        batch_norm: bool = False,
        dropout: float = 0.0,
        scaler: str = "standard",
        embed_above: int | None = None,
    ) -> None:
        sizes = (units,) if is_integer(units) else tuple(units)
        self.units = [checked_integer("units", size, least=1) for size in sizes]
        check_scaler(scaler)
        self.scaler = scaler
        self.embed_above = (
            None if embed_above is None else checked_integer("embed_above", embed_above, least=0)
        )
        self._layers = partial(
            LayerFactory, activation, initializer, batch_norm=batch_norm, dropout=dropout
        )
        self._layers()  # a misspelt name is refused now

    def build(self, columns: FeatureColumns, outputs: int) -> BuiltFeatureNetwork:
        """Make the model and its scales.

        Args:
            columns: The features.
            outputs: How many numbers to give.
        """
        layers = self._layers()
        numbers = keras.Input((len(columns.numbers),), dtype="float32", name="numbers")
        categories = keras.Input((len(columns.categories),), dtype="int32", name="categories")

        parts = [numbers] if columns.numbers else []
        parts += self._encode(categories, [len(known) for known in columns.categories.values()])

        x = keras.layers.Concatenate()(parts) if len(parts) > 1 else parts[0]
        for units in self.units:
            x = layers.drop(layers.dense(x, units))
        model = keras.Model(
            [numbers, categories], layers.logits(x, outputs), name="feature_network"
        )

        scaler = None
        if columns.numbers:
            scaler = FeatureScaler(
                len(columns.numbers), self.scaler, precise=columns.precise, name="features"
            )
        return BuiltFeatureNetwork(model, scaler)

    def _encode(self, codes: Any, known: Sequence[int]) -> list[Any]:
        """Return the inputs that categories become, in the order of their columns.

        Args:
            codes: Of the categories, int32 of shape (batch, columns).
            known: How many categories each column has.

        Returns:
            Tensors of shape (batch, inputs): for each embedded column its embedding, for other
            columns that are neighbours their categories together.
        """
        if not known:
            return []
        codes = keras.ops.cast(codes, "int64")  # a GPU compares and reshapes int32 on the host

        counts = [count + 1 for count in known]  # 0 is what training rows do not have
        embeds = [self.embed_above is not None and count > self.embed_above for count in known]
        columns = keras.ops.unstack(codes, len(known), axis=1) if any(embeds) else []
        parts = []
        for embed, group in groupby(range(len(known)), embeds.__getitem__):
            places = list(group)
            if embed:
                parts += [_embedding(columns[place], counts[place]) for place in places]
            else:
                parts.append(_one_hot(codes, places, counts))
        return parts


def _one_hot(codes: Any, places: Sequence[int], counts: Sequence[int]) -> Any:
    """Return one input for each category of some columns, float32 of shape (batch, inputs).

    These are three operations however many columns there are: a layer for each would cost 40 ms to
    build and trace.
    """
    column = np.repeat(places, [counts[place] for place in places]).astype(np.int64)  # (inputs,)
    category = np.concatenate([np.arange(counts[place], dtype=np.int64) for place in places])
    is_category = keras.ops.equal(keras.ops.take(codes, column, axis=1), category)
    return keras.ops.cast(is_category, "float32")


def _embedding(codes: Any, count: int) -> Any:
    # The size that fastai found to do well for tables.
    size = min(600, round(1.6 * count**0.56))
    return keras.layers.Embedding(count, size)(codes)  # (batch, size)


class BuiltFeatureNetwork:
    """A model and the scales of what goes into it.

    Args:
        model: From ``[numbers, categories]`` to (batch, outputs).
        scaler: Of the numbers; None where there are none.
    """

    def __init__(self, model: keras.Model, scaler: FeatureScaler | None) -> None:
        self.model, self.scaler = model, scaler

    def fit_scaler(self, data: FeatureTable) -> None:
        """Fit the scales to the training split, unless a checkpoint has brought them."""
        if self.scaler is not None and not self.scaler.is_fitted:
            numbers = training_rows(data, lambda inputs, _: inputs["numbers"])  # (rows, numbers)
            self.scaler.fit([numbers])
            warn_of_equal(self.scaler, numbers, data.columns.numbers)

    def outputs(self, inputs: Mapping[str, tf.Tensor], training: bool) -> tf.Tensor:
        """Return float32 outputs of rows in the table's own units."""
        count = tf.shape(next(iter(inputs.values())))[0]
        numbers, categories = (
            # A table of one kind of columns alone gives only that input.
            tf.convert_to_tensor(inputs[name]) if name in inputs else tf.zeros([count, 0], dtype)
            for name, dtype in (("numbers", tf.float32), ("categories", tf.int32))
        )
        numbers = numbers if self.scaler is None else self.scaler(numbers)  # (batch, numbers)
        outputs = self.model([numbers, categories], training=training)
        return tf.cast(outputs, tf.float32)  # (batch, outputs)


def training_rows(data: FeatureTable, select: Callable[[Any, Any], tf.Tensor]) -> NDArray[Any]:
    """Return an array of the training split.

    Args:
        data: Set up.
        select: From the inputs and targets of all splits to the array; the others are not copied.
    """
    split = (data.splits or {})["train"]
    source: Any = split.source  # an `ArraySource`
    with tf.device("CPU:0"):
        rows: NDArray[Any] = tf.gather(select(*source.arrays), split.indices).numpy()
    return rows
