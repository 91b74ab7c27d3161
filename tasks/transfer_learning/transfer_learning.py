"""TransferLearning: a new head on a backbone that has learnt elsewhere."""

import os
from collections.abc import Sequence
from inspect import signature
from typing import Any, Literal

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lightning_tf.checks import check_known
from lightning_tf.data.data_module import DataModule
from lightning_tf.data.images.cached_features import CachedFeatures
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.tasks.image_classification.classifier import LAYER_OPTIONS
from lightning_tf.tasks.image_classification.image_classification import ImageClassification
from lightning_tf.tasks.transfer_learning.backbone import Backbone
from lightning_tf.tasks.transfer_learning.classifier import (
    FEATURES_RANK,
    BuiltTransfer,
    TransferClassifier,
)
from lightning_tf.tasks.transfer_learning.grad_cam import grad_cam

# All but what describes a network trained from nothing.
OPTIONS = signature(ImageClassification).parameters.keys() - {"data", "network", *LAYER_OPTIONS}


class TransferLearning(ImageClassification):
    """Learns which of several classes an image shows, with features learnt on other images.

    Batches, losses, metrics and options are `ImageClassification`'s; the network is the backbone,
    with its own preprocessing inside, a mean over its feature maps, and a head. The grid of
    predictions gets a second figure, with Grad-CAM heat maps, where the backbone gives maps.

    With ``train="head"`` the backbone never trains, and its BatchNormalization layers compute with
    their moving statistics. For two phases in one fit, give ``train="all"`` and the callback
    `BackboneFinetuning("backbone", ...)`, which freezes the backbone at first.

    Source: Yosinski et al., "How transferable are features in deep neural networks?", 2014,
    https://arxiv.org/abs/1411.1792; https://keras.io/guides/transfer_learning/.

    Args:
        data: As of `ImageClassification`.
        backbone: A name of keras.applications; ``"keras_hub:<preset or folder>"``; a URL of
            TensorFlow Hub or a SavedModel's folder; a keras-hub backbone; or a Keras model from
            images to features.
        weights: For a name of keras.applications: ``imagenet``, a local file of the network
            without its top, or None for random ones.
        train: ``head``, or ``all`` of the network.
        fixed_layers: Names of layers of the backbone that never train.
        hidden_units: Of a ReLU layer in the head; None for a linear head.
        dropout: Rate in the head.
        preprocessing: Replaces the backbone's own; see `Backbone`.
        cache_features: Compute the backbone's features once and train the head on them. Goes with
            ``train="head"`` and without augmentation, which changes the images every epoch.
        **options: batch_size, data_dir, image_size, resize, data_options, objective,
            optimizer, learning_rate, schedule, warmup_steps, weight_decay, label_smoothing,
            class_weight, sampling, augmentation, fused_batch_norm: as of `ImageClassification`.

    Raises:
        ConfigurationError: A name is unknown, a file is missing, or options contradict each other;
            before training, weights cannot be downloaded, or the images are too small.

    Example:
        >>> from lightning_tf import Trainer
        >>> from lightning_tf.callbacks import BackboneFinetuning
        >>> task = TransferLearning("photos", "MobileNetV2", train="all", image_size=160)
        >>> thaw = BackboneFinetuning("backbone", unfreeze_at_epoch=5, layers=30)
        >>> Trainer(max_epochs=10, callbacks=[thaw]).fit(task)
        >>> task.export("exported")
    """

    built: BuiltTransfer

    def __init__(
        self,
        data: Any,
        backbone: Any = "MobileNetV2",
        *,
        weights: str | os.PathLike[str] | None = "imagenet",
        train: Literal["head", "all"] = "head",
        fixed_layers: Sequence[str] = (),
        hidden_units: int | None = None,
        dropout: float = 0.2,
        preprocessing: Any = None,
        cache_features: bool = False,
        **options: Any,
    ) -> None:
        for name in options:
            known = {*OPTIONS, *signature(TransferLearning).parameters} - {"options"}
            check_known(f"TransferLearning has no option {name!r}", name, known)
        check_known(f"train={train!r}", train, ("head", "all"))
        if cache_features and (train != "head" or options.get("augmentation")):
            wrong = "train='all'" if train != "head" else "augmentation"
            raise ConfigurationError(
                f"cache_features=True goes without {wrong}: features are computed once, of "
                "images and by a backbone that do not change."
            )

        super().__init__(data, **options)
        # It replaces the base class's classifier, a network trained from nothing.
        self.classifier = TransferClassifier(  # type: ignore[assignment]
            Backbone(backbone, weights, preprocessing),
            train_backbone=train == "all",
            fixed_layers=fixed_layers,
            hidden_units=hidden_units,
            dropout=dropout,
        )

        if cache_features and self.data is not None:
            self.data = CachedFeatures(self.data, self._extract, self._backbone_version)

    def evaluation_data(self, stage: str, data: Any) -> DataModule:
        """Return images as the base class does; not for a step that expects their features."""
        if stage == "val" and isinstance(self.data, CachedFeatures):
            raise ConfigurationError(
                "cache_features=True: validation gets features of the task's own images; give "
                "others to Trainer.test."
            )
        return super().evaluation_data(stage, data)

    @property
    def images_data(self) -> DataModule | None:
        """The images, also where the Trainer is given features of them."""
        return self.data.images if isinstance(self.data, CachedFeatures) else self.data

    def configure_model(self) -> None:
        """Build preprocessing, backbone and head, as `model`; `backbone` and `head` are in it."""
        super().configure_model()
        self.backbone, self.head = self.built.backbone, self.built.head

    def labelled_data(self) -> DataModule | None:
        """Return the images, not features of them."""
        return self.images_data

    def grad_cam(self, images: Any, classes: Any) -> NDArray[np.float32] | None:
        """Return Grad-CAM heat maps of the backbone's last maps; None where it gives vectors."""
        if self.built.to_maps is None:
            return None
        return np.asarray(
            grad_cam(self.built.to_maps, self.built.head, self._images(images), classes)
        )

    def _images(self, images: Any) -> tf.Tensor:
        """Return float32 images in [0, 255]; features as they are."""
        if len(images.shape) == FEATURES_RANK:
            return images
        return super()._images(images)

    def _ensure_built(self) -> BuiltTransfer:
        """Return the model, built now where features are asked for before the first step."""
        self.make_models()
        return self.built

    def _extract(self, images: Any) -> tf.Tensor:
        extractor = self._ensure_built().extractor
        return tf.cast(extractor(self._images(images), training=False), tf.float32)

    def _backbone_version(self) -> int:
        return self._ensure_built().backbone_version()
