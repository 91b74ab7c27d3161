"""BatchNormalizationSwap: a model's BatchNormalization layers of Keras, computed as fused ones."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import keras

from lightning_tf.exceptions import ConfigurationError
from lightning_tf.keras_internals import change_class, flat_layers
from lightning_tf.layers.fused_batch_normalization import FusedBatchNormalization


class BatchNormalizationSwap:
    """Keras' BatchNormalization layers that are FusedBatchNormalization until they are restored.

    The layers stay the same objects, so that weights, names, frozen layers, optimizers and whoever
    else holds them notice nothing, in models of every kind: nested, shared, subclassed, inside
    TimeDistributed. Each keeps its `synchronized`; subclasses of Keras' layer stay as they are.
    What is traced between `fuse` and `restore` computes fused; a model that is saved after
    `restore` names Keras' layer in its file.

    Example:
        >>> model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.BatchNormalization()])
        >>> swap = BatchNormalizationSwap()
        >>> swap.fuse(model)
        >>> isinstance(model.layers[0], FusedBatchNormalization)
        True
        >>> swap.restore()
        >>> isinstance(model.layers[0], FusedBatchNormalization)
        False
    """

    def __init__(self) -> None:
        self._synchronized_before: list[tuple[keras.layers.BatchNormalization, bool]] = []

    def fuse(self, model: keras.Layer) -> None:
        """Swap the layers in a model, or in another layer, that are not swapped yet."""
        for layer in _layers(model):
            if type(layer) is keras.layers.BatchNormalization:
                self._synchronized_before.append((layer, layer.synchronized))
                change_class(layer, FusedBatchNormalization)

    def restore(self) -> None:
        """Make the layers again what they were."""
        for layer, synchronized in self._synchronized_before:
            change_class(layer, keras.layers.BatchNormalization)
            layer.synchronized = synchronized
        self._synchronized_before.clear()


@contextmanager
def as_keras_layers(model: keras.Layer) -> Iterator[None]:
    """Let fused layers be Keras' own in the ``with`` block, so that a file names Keras' layer."""
    fused = [layer for layer in _layers(model) if type(layer) is FusedBatchNormalization]
    for layer in fused:
        change_class(layer, keras.layers.BatchNormalization)
    try:
        yield
    finally:
        for layer in fused:
            change_class(layer, FusedBatchNormalization)


def fuse_batch_normalization(model: keras.Model) -> keras.Model:
    """Copy a model with every Keras BatchNormalization replaced by the fused one.

    Layers inside nested models, TimeDistributed and custom layers are replaced too; subclasses of
    Keras' layer are left as they are. The new layers are synchronized, whatever the old ones were.
    The copy has weights of its own, equal to the model's, the same names and the same layers
    frozen; a compiled model's copy is compiled with a fresh optimizer. A model of a class of its
    own, such as a keras-hub backbone, becomes a plain Functional model.

    Args:
        model: A built Functional or Sequential model.

    Returns:
        The copy.

    Raises:
        ConfigurationError: If the model is subclassed or not built.

    Example:
        >>> model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.BatchNormalization()])
        >>> type(fuse_batch_normalization(model).layers[0]) is FusedBatchNormalization
        True
    """
    if not model.built:
        raise ConfigurationError(_cannot_copy(model, "not built"))
    try:
        copy = keras.models.clone_model(model, clone_function=_clone, recursive=True)
    except ValueError as error:  # Keras' answer to a subclassed model
        raise ConfigurationError(
            _cannot_copy(model, "no Functional or Sequential model")
        ) from error

    synchronize_batch_normalization([copy], all_layers=True)
    for old, new in zip(_layers(model), _layers(copy), strict=True):
        # A config does not tell of the layers inside a layer that froze with it. What is right
        # stays untouched, because setting a layer sets all layers in it.
        if new.trainable != old.trainable:
            new.trainable = old.trainable

    for before, after in zip(model.variables, copy.variables, strict=True):
        after.assign(before)
    return copy


def synchronize_batch_normalization(layers: Iterable[keras.Layer], *, all_layers: bool) -> None:
    """Make Keras' BatchNormalization layers exact over replicas, in place.

    They become FusedBatchNormalization, with their weights: Keras' own synchronization counts the
    example that stands in on a replica without any.

    Args:
        layers: Models and other layers, in which the layers are looked for.
        all_layers: Whether layers with ``synchronized=False`` are changed too.
    """
    for layer in (inner for outer in layers for inner in _layers(outer)):
        if type(layer) is keras.layers.BatchNormalization and (all_layers or layer.synchronized):
            change_class(layer, FusedBatchNormalization)
        if isinstance(layer, FusedBatchNormalization) and all_layers:
            layer.synchronized = True


def _clone(layer: keras.Layer) -> keras.Layer:
    return type(layer).from_config(layer.get_config())


def _layers(model: keras.Layer) -> list[keras.Layer]:
    """Return the model and all layers in it, each before those in it."""
    return flat_layers(model)


def _cannot_copy(model: keras.Model, reason: str) -> str:
    return (
        f"fuse_batch_normalization got {type(model).__name__} {model.name!r}, which is {reason}. "
        "Build it on a keras.Input, swap its layers in place with BatchNormalizationSwap, or use "
        "FusedBatchNormalization in its own code."
    )
