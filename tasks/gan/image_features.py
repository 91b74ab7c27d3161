"""ImageFeatures: features and classes of images by a trained classifier."""

import os
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lightning_tf.exceptions import ConfigurationError
from lightning_tf.keras_internals import producing_layer
from lightning_tf.seed import random_state, restore_random_state
from lightning_tf.tasks.image_classification.image_classification import ImageClassification

IMAGES_AT_ONCE = 256


class ImageFeatures:
    """Features and classes of images by a trained classifier.

    Features are what the classifier's last layer takes; the class is the largest of its outputs.

    Args:
        classifier: An `ImageClassification` whose models are made, the path of a checkpoint of
            one, a Keras model, or the path of its ``.keras`` file. A Keras model takes images in
            [-1, 1] and must be Functional or Sequential.

    Raises:
        ConfigurationError: It is none of these.

    Example:
        >>> image_features = ImageFeatures(classification_task)
        >>> features, classes = image_features(np.zeros((2, 8, 8, 1), "float32"))
        >>> features.shape, classes.shape
        ((2, 128), (2,))
    """

    def __init__(self, classifier: Any) -> None:
        is_path = isinstance(classifier, (str, os.PathLike))
        if is_path and not Path(classifier).expanduser().exists():
            raise ConfigurationError(
                f"quality={os.fspath(classifier)!r}: nothing is there; give a checkpoint of "
                "ImageClassification or a .keras file."
            )
        if not is_path and not isinstance(classifier, (ImageClassification, keras.Model)):
            raise ConfigurationError(
                f"quality is a {type(classifier).__name__}; give an ImageClassification, a Keras "
                "model, or the path of one."
            )
        self.classifier = classifier
        self._model: keras.Model | None = None
        self._task: ImageClassification | None = None

    @property
    def num_classes(self) -> int:
        """How many classes the classifier tells apart."""
        return int(self._load().outputs[-1].shape[-1])

    def __call__(self, images: NDArray[np.floating]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return features, float32 of shape (n, features), and classes of shape (n,).

        Args:
            images: In [-1, 1], shape (n, height, width, channels).

        Raises:
            ConfigurationError: The classifier takes other images.
        """
        model = self._load()
        features, classes = [], []
        for start in range(0, len(images), IMAGES_AT_ONCE):
            inputs: Any = tf.constant(images[start : start + IMAGES_AT_ONCE], tf.float32)
            if self._task is not None:
                inputs = self._task.built.inputs((inputs + 1.0) * 127.5)  # from [-1, 1] to [0, 255]

            try:
                chunk, outputs = model(inputs, training=False)
            except (TypeError, ValueError, tf.errors.InvalidArgumentError) as error:
                raise ConfigurationError(
                    f"the classifier of quality= cannot take images of shape "
                    f"{images.shape[1:]}: {error}"
                ) from error
            features.append(np.asarray(tf.cast(chunk, tf.float32)).reshape(len(chunk), -1))
            classes.append(np.asarray(outputs).argmax(axis=-1))
        return np.concatenate(features), np.concatenate(classes)

    def _load(self) -> keras.Model:
        """Return the model with two outputs, which the first call makes."""
        if self._model is None:
            # New models draw seeds, and the run that is watched must not notice.
            state = random_state()
            try:
                self._model = _add_features_output(self._load_classifier())
            finally:
                restore_random_state(state)
        return self._model

    def _load_classifier(self) -> keras.Model:
        classifier = self.classifier
        if isinstance(classifier, (str, os.PathLike)):
            path = Path(classifier).expanduser()
            classifier = (
                ImageClassification.from_checkpoint(path)
                if path.is_dir()
                else keras.saving.load_model(path, compile=False)
            )

        if isinstance(classifier, ImageClassification):
            if not classifier.configured:
                raise ConfigurationError(
                    "the ImageClassification of quality= is not trained; fit it first, or give "
                    "the path of a checkpoint."
                )
            self._task = classifier
            classifier = classifier.model
        return classifier


def _add_features_output(model: keras.Model) -> keras.Model:
    try:
        last = model.layers[-1] if isinstance(model, keras.Sequential) else None
        if last is None:
            last = producing_layer(model.outputs[0])
        # A softmax of its own takes logits, not features: the layer before it is the classifier.
        if isinstance(last, (keras.layers.Softmax, keras.layers.Activation)):
            last = producing_layer(last.input)
        return keras.Model(model.inputs, [last.input, model.outputs[0]])
    except (AttributeError, ValueError, IndexError) as error:
        raise ConfigurationError(
            f"quality: {model.name!r} does not show what its last layer takes; give a Functional "
            f"or Sequential classifier ({error})."
        ) from error
