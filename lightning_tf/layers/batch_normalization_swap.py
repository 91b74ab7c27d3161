"""BatchNormalizationSwap: Keras' BatchNormalization layers of a model, computed as fused ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import keras

from lightning_tf.exceptions import ConfigurationError
from lightning_tf.layers.fused_batch_normalization import FusedBatchNormalization


class BatchNormalizationSwap:
    """Keras' BatchNormalization layers that are FusedBatchNormalization until they are restored.

    The layers stay the same objects, so that weights, names, frozen layers, optimizers and whoever
    else holds them notice nothing, in models of every kind: nested, shared, subclassed, inside
    TimeDistributed. Each keeps its own `synchronized`; subclasses of Keras' layer stay as they are.
    What is traced in between computes fused; a model that is saved after `restore` names Keras'
    layer in its file.

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
        """Swap what is not swapped yet, in a model or another layer."""
        for layer in _keras_own(model):
            self._synchronized_before.append((layer, layer.synchronized))
            layer.__class__ = FusedBatchNormalization

    def restore(self) -> None:
        """Make the layers Keras' own again."""
        for layer, synchronized in self._synchronized_before:
            layer.__class__ = keras.layers.BatchNormalization
            layer.synchronized = synchronized
        self._synchronized_before.clear()


def fuse_batch_normalization(model: keras.Model) -> keras.Model:
    """Copy a model with every Keras BatchNormalization replaced by the fused one.

    Layers inside nested models, TimeDistributed and layers of one's own are replaced too;
    subclasses of Keras' layer are left as they are. The new layers are synchronized, whatever the
    old ones were. The copy has its own weights, equal to the model's, the same names and the same
    layers frozen; a compiled model's copy is compiled with a fresh optimizer. A model of a class of
    its own, such as a keras-hub backbone, becomes a plain Functional model.

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
    for old, new in zip(_parts(model), _parts(copy), strict=True):
        # A config has no word on the layers inside a layer, which freeze with it. What is right
        # stays untouched: setting a layer sets all that is in it.
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
        layers: Models and other layers, which are looked through.
        all_layers: Whether layers with ``synchronized=False`` are changed too.
    """
    for layer in layers:
        for part in layer._flatten_layers():
            if type(part) is keras.layers.BatchNormalization and (all_layers or part.synchronized):
                part.__class__ = FusedBatchNormalization
                part.synchronized = True
            elif isinstance(part, FusedBatchNormalization) and all_layers:
                part.synchronized = True


def _clone(layer: keras.Layer) -> keras.Layer:
    return type(layer).from_config(layer.get_config())


def _keras_own(model: keras.Layer) -> Iterator[keras.layers.BatchNormalization]:
    for part in _parts(model):
        if type(part) is keras.layers.BatchNormalization:
            yield part


def _parts(model: keras.Layer) -> list[keras.Layer]:
    """The model and all layers in it, each before what is in it."""
    return list(model._flatten_layers())


def _cannot_copy(model: keras.Model, reason: str) -> str:
    return (
        f"fuse_batch_normalization got {type(model).__name__} {model.name!r}, which is {reason}. "
        "Build it on a keras.Input, swap its layers in place with BatchNormalizationSwap, or use "
        "FusedBatchNormalization in its own code."
    )
