"""keras-hub's image classifiers as networks; keras-hub is imported only where one is used."""

from typing import Any

import keras

from lightning_tf.exceptions import ConfigurationError

PREFIX = "keras_hub:"


def is_from_keras_hub(model: Any) -> bool:
    """Return whether a model's class, or one that it inherits from, is keras-hub's."""
    return any(base.__module__.split(".")[0] == "keras_hub" for base in type(model).__mro__)


def load_preset(kind: Any, preset: str, **options: Any) -> Any:
    """Load what a keras-hub class makes of a preset.

    Args:
        kind: Such as `keras_hub.models.Backbone`.
        preset: A name of keras-hub, or a folder made by `save_to_preset`; with or without
            ``keras_hub:``.
        options: Of `from_preset`.

    Raises:
        ConfigurationError: It cannot be loaded.
    """
    preset = preset.removeprefix(PREFIX)
    try:
        return kind.from_preset(preset, **options)
    except Exception as error:  # whatever the hub's downloader raises: no common base
        raise ConfigurationError(
            f"'{PREFIX}{preset}': keras-hub's {kind.__name__} cannot load the preset "
            f"({type(error).__name__}: {error}). Tried a folder of that name, keras-hub's cache, "
            f"then its host. Give a folder made by save_to_preset, '{PREFIX}path/to/folder', or a "
            f"name of keras_hub.models.{kind.__name__.removesuffix('Preprocessor')}.presets with a "
            "network connection."
        ) from error


def keras_hub_classifier(network: Any, num_classes: int) -> keras.Model:
    """Build a classifier of a preset or a backbone, or return an ImageClassifier as it is.

    A backbone gets the head that keras-hub gives it, new weights, and float32 logits. A preset
    brings pretrained weights, from a local folder, or downloaded by keras-hub.

    Args:
        network: ``"keras_hub:<preset>"``, where the preset is a folder or a name such as
            ``resnet_50_imagenet``; a keras-hub backbone; or an ImageClassifier.
        num_classes: How many classes there are.

    Returns:
        A Functional model from images to (batch, num_classes).

    Raises:
        ConfigurationError: keras-hub cannot load the preset, or the model is neither.

    Example:
        >>> backbone = keras_hub.models.ResNetBackbone(...)
        >>> keras_hub_classifier(backbone, num_classes=10).output_shape
        (None, 10)
    """
    import keras_hub

    if isinstance(network, str):
        kind = keras_hub.models.ImageClassifier
        return load_preset(kind, network, num_classes=num_classes)

    if isinstance(network, keras_hub.models.ImageClassifier):
        return network
    if isinstance(network, keras_hub.models.Backbone):
        # Logits must be float32 under mixed precision too.
        classifier = _classifier_class(network, keras_hub.models.ImageClassifier)
        return classifier(backbone=network, num_classes=num_classes, head_dtype="float32")
    raise ConfigurationError(
        f"network is keras-hub's {type(network).__name__}; give a backbone or an ImageClassifier."
    )


def image_converter_of(model: keras.Model) -> keras.Layer | None:
    """Return the layer from images in [0, 255] to the input of a preset's training, if any."""
    preprocessor = getattr(model, "preprocessor", None)
    return getattr(preprocessor, "image_converter", None)


def _classifier_class(backbone: Any, base: Any) -> Any:
    """Return the ImageClassifier for this kind of backbone; the base class pools feature maps."""
    classes = [base]
    for known in classes:  # grows while it is walked: subclasses of subclasses
        classes += [sub for sub in known.__subclasses__() if sub not in classes]
    exact = [c for c in classes if getattr(c, "backbone_cls", None) is type(backbone)]
    return exact[0] if exact else base
