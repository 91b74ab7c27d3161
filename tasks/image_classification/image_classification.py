"""ImageClassification: one class for each image."""

import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from lightning_tf.callback import Callback
from lightning_tf.checks import checked_fraction
from lightning_tf.data.data_module import DataModule
from lightning_tf.data.images.image_data import image_data
from lightning_tf.data.images.image_decoding import ResizeMethod
from lightning_tf.data.images.image_targets import CLASSIFICATION, checked_objective
from lightning_tf.data.pipeline.batch_checks import watch_labels
from lightning_tf.data.sources.options import merged_options
from lightning_tf.prediction_columns import named_columns
from lightning_tf.tasks.common.built_classifier import BuiltClassifier
from lightning_tf.tasks.common.class_weights import ClassWeight, check_class_weight
from lightning_tf.tasks.common.classification_task import ClassificationTask
from lightning_tf.tasks.common.feature_scaler import FeatureScaler
from lightning_tf.tasks.common.fused_batch_norm_task import FusedBatchNormTask
from lightning_tf.tasks.common.optimizer_settings import OptimizerSettings
from lightning_tf.tasks.common.spec_task import inputs_of
from lightning_tf.tasks.image_classification.augmentation import PIXEL_RANGE, Augmentation
from lightning_tf.tasks.image_classification.classifier import Classifier
from lightning_tf.tasks.image_classification.export import export_classifier
from lightning_tf.tasks.image_classification.heat_maps import HeatMaps
from lightning_tf.tasks.image_classification.learned_images import LearnedImages
from lightning_tf.tasks.image_classification.objectives.objectives import OBJECTIVES


class ImageClassification(HeatMaps, LearnedImages, ClassificationTask, FusedBatchNormTask):
    """Learns which of several classes an image shows.

    A batch is ``(images, labels)``: images of shape (batch, height, width, channels), uint8 in
    [0, 255] or float in the data's own range, and integer labels of shape (batch,) in
    0..classes-1. Inside the compiled step images become float32 in [0, 255], are augmented (in
    training only), scaled to [-1, 1] and classified. The loss is the softmax cross entropy in
    float32; label smoothing and mixed labels enter the training loss alone, so ``val_loss`` is the
    plain cross entropy and compares across options.

    With several labels an image (``objective="multi_label"``) labels are 0 and 1 of shape (batch,
    labels), the loss is the binary cross entropy of a sigmoid for each, and the metrics are
    `MultiLabelScores`: ``accuracy``, ``f1`` and ``auc``, and those of each label, such as
    ``f1_cat``. With numbers (``objective="regression"``) the loss is the mean squared error of
    numbers that are scaled by the training split, and ``mae``, ``rmse`` and ``r2`` are in the
    data's units. `predict_step` then gives probabilities (batch, labels), or numbers (batch,
    numbers), and there is no confusion matrix.

    Of classes the metrics are ``accuracy``, and ``top_5_accuracy`` where there are more than five.
    Where MixUp or CutMix mix labels, training accuracy counts the larger share as the true class.
    `predict_step` gives probabilities of shape (batch, classes). The task brings along
    `ConfusionMatrix` (up to 100 classes) and `PredictionGrid`.

    Args:
        data: A name such as ``digits``, ``cifar10`` or ``"tfds:<name>"``, a folder of class
            folders, a table with a column of files, ``(x, y)`` arrays, tf.data.Datasets or a
            DataModule; see `image_data`.
        network: ``logistic``, ``linear``, ``mlp``, ``convnet``, ``lenet5``, ``vgg``, ``resnet``,
            ``inception`` or ``mobilenet``; a Keras model with one output for each class (logits,
            or probabilities after a softmax); ``"keras_hub:<preset>"``; or a keras-hub backbone
            or ImageClassifier.
        batch_size: Images in a global batch; None is the data's own, 32.
        data_dir: Where the files of a named data set are.
        image_size: Height and width that encoded images are resized to.
        resize: How files of another size are resized, and images that the task sees later in every
            way: ``antialias`` as pillow does it; ``bilinear``, faster, whose fine patterns become
            noise; ``draft``, which decodes large JPEG files smaller before it. None is antialias.
        data_options: Further options of `image_data`, such as ``{"val_fraction": 0.2}``.
        objective: ``classification``, or for arrays, tables and datasets ``multi_label`` or
            ``regression``; None is what the data say, see `ImageTable`. A DataModule says it in an
            attribute.
        activation: Of the hidden layers of a named network.
        initializer: Of the kernels of a named network: he, xavier, normal, truncated_normal, ...
        batch_norm: Whether a named network normalizes; None is the network's own default.
        dropout: Rate of a named network; None is 0.
        optimizer: A name (adam, adamw, sgd, momentum, nesterov, rmsprop, ...), a pair
            ``("momentum", {"momentum": 0.95})``, a Keras optimizer or its configuration.
        learning_rate: At the start, or after the warm-up; None is the optimizer's default.
        schedule: ``constant``, ``cosine``, ``linear``, ``exponential`` or ``piecewise`` over the
            updates of the whole fit, a pair ``("cosine", {"final_fraction": 0.1})``, a Keras
            schedule or its configuration; see `build_schedule`. None is cosine, or constant where
            nobody knows the length of the fit. Cosine ends at 0: give another one to a fit that
            a second fit shall carry on.
        warmup_steps: Updates of a linear warm-up, or a fraction of all of them below 1.0.
        weight_decay: Decoupled, biases and normalization spared; None is Keras' default for the
            optimizer: 0.004 for adamw, none for others.
        label_smoothing: Share of each training label that is spread evenly over all classes
            (Szegedy et al., 2016, section 7, https://arxiv.org/abs/1512.00567).
        class_weight: ``balanced``, or a weight by class, for the training loss alone; see
            `class_weights`.
        sampling: ``balanced`` draws every class equally often in an epoch, which has as many
            examples as without; see `balanced_order`.
        augmentation: A name or a list of flip, brightness, contrast, crop, rand_augment, mixup,
            cutmix, pairs of name and options, layers or functions; see `Augmentation`.
        fused_batch_norm: Whether BatchNormalization layers of Keras in a given network compute
            with TensorFlow's fused operation while a Trainer drives the task: faster, equal up to
            rounding; see `FusedBatchNormTask`. The named networks always do.

    Raises:
        ConfigurationError: A name is unknown, a number is out of range, or options contradict each
            other.

    Example:
        >>> from lightning_tf import Trainer
        >>> task = ImageClassification(data="digits", augmentation=["crop"], schedule="cosine")
        >>> trainer = Trainer(max_epochs=20, seed=0)
        >>> trainer.fit(task)
        >>> trainer.test(task)["test_accuracy"]
    """

    data: DataModule | None
    built: BuiltClassifier
    targets: list[str]
    target_scaler: FeatureScaler

    def __init__(
        self,
        data: Any = "digits",
        network: Any = "convnet",
        *,
        batch_size: int | None = None,
        data_dir: str | os.PathLike[str] | None = None,
        image_size: int | tuple[int, int] | None = None,
        resize: ResizeMethod | None = None,
        data_options: Mapping[str, Any] | None = None,
        objective: str | None = None,
        activation: str | Callable[[Any], Any] = "relu",
        initializer: str | keras.Initializer = "he_normal",
        batch_norm: bool | None = None,
        dropout: float | None = None,
        optimizer: Any = "adam",
        learning_rate: float | None = None,
        schedule: Any = None,
        warmup_steps: float = 0,
        weight_decay: float | None = None,
        label_smoothing: float = 0.0,
        class_weight: ClassWeight = None,
        sampling: str | None = None,
        augmentation: Any = None,
        fused_batch_norm: bool = True,
    ) -> None:
        self.fused_batch_norm = fused_batch_norm
        self.classifier = Classifier(
            network,
            activation=activation,
            initializer=initializer,
            batch_norm=batch_norm,
            dropout=dropout,
        )
        self.optimizer_settings = OptimizerSettings(
            optimizer, learning_rate, schedule, warmup_steps, weight_decay
        )
        self.label_smoothing = checked_fraction("label_smoothing", label_smoothing)
        check_class_weight(class_weight, sampling)
        self.class_weight, self.sampling = class_weight, sampling

        if augmentation:
            # A misspelt name is refused now, not after loading the data; in a scratch graph,
            # because TensorFlow must not start before a Trainer has chosen the devices.
            with tf.Graph().as_default():
                Augmentation(augmentation)
        self._make_augmentation = partial(
            Augmentation, () if augmentation is None else augmentation
        )

        self._image_options = merged_options(
            data_options,
            batch_size=batch_size,
            data_dir=data_dir,
            image_size=image_size,
            resize=resize,
        )
        learning = {"objective": objective, "sampling": sampling}
        self.data = (
            None
            if data is None
            else image_data(data, **merged_options(self._image_options, **learning))
        )
        self.take_objective(checked_objective(getattr(self.data, "objective", objective)))

    def take_objective(self, name: str) -> None:
        """Learn the class, several labels or numbers of an image."""
        self.objective = OBJECTIVES[name](self)

    def prediction_columns(self, outputs: Any, names: Mapping[str, Any]) -> dict[str, Any]:
        """Return label, class and probabilities of each image; labels, or numbers."""
        return named_columns(names, self.objective.columns(self, outputs))

    def setup(self, stage: str) -> None:
        """Swap layers, and let the labels of a user's own module be checked in its pipeline."""
        super().setup(stage)
        if stage != "predict":
            self.take_data()
        is_labeled = stage != "predict" and self.objective.name == CLASSIFICATION
        if is_labeled and self.images_data is not None:
            watch_labels(self.images_data, lambda: self.image_spec().num_classes)

    def configure_model(self) -> None:
        """Build the network, as `model`, to the images and classes of the data."""
        spec = self.image_spec()
        self.class_names, self.value_range = spec.class_names, spec.value_range
        self.built = self.classifier.build(spec)
        self.model = self.built.model
        # Made here and not before: seed generators take their seed from the Trainer's.
        self.augmentation = self._make_augmentation()
        self.objective.configure(self, spec)
        self.fuse_batch_norm()

    def configure_optimizers(self) -> keras.optimizers.Optimizer:
        """Make the optimizer, with its schedule over the updates of this fit."""
        self.objective.prepare_training(self)
        return super().configure_optimizers()

    def configure_metrics(self) -> dict[str, keras.metrics.Metric]:
        """Make the metrics of what is learned."""
        return self.objective.metrics(self)

    def training_step(self, batch: Any) -> tf.Tensor:
        """Return the mean loss of augmented images, and what the model's layers add."""
        images, targets = self._images(batch[0]), self.objective.targets(self, batch[1])
        # MixUp and CutMix change the targets, too.
        images, targets = self.augmentation(images, targets, training=True)

        outputs = self.built.logits(images, training=True)  # (batch, classes, labels or numbers)
        return self.objective.training_loss(self, targets, outputs)

    def validation_step(self, batch: Any) -> tf.Tensor:
        """Return the mean loss; update metrics and confusion counts."""
        outputs = self.built.logits(self._images(batch[0]), training=False)
        return self.objective.validation_loss(self, batch[1], outputs)

    def predict_step(self, batch: Any) -> tf.Tensor:
        """Return probabilities of classes or labels, or numbers, of images with or without labels.

        They are float32 of shape (batch, classes, labels or numbers); numbers are float64 where
        float32 would make different targets equal.
        """
        images = self._images(inputs_of(batch))
        return self.objective.predictions(self, self.built.logits(images, training=False))

    def export_saved_model(self, path: Path) -> None:
        """Write a SavedModel that takes images and gives labels; see `export_classifier`."""
        export_classifier(self, path)

    def callbacks(self) -> list[Callback]:
        """Bring images of what was learned: of classes a confusion matrix and predictions."""
        return self.objective.callbacks()

    def _images(self, images: Any) -> tf.Tensor:
        """Return float32 images in [0, 255]."""
        low, high = self.value_range
        images = tf.cast(images, tf.float32)
        return images if (low, high) == PIXEL_RANGE else (images - low) * (255.0 / (high - low))
