"""ObjectDetection: the objects in an image, each with a class and a box."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import keras

from lightning_tf.callback import Callback
from lightning_tf.checks import check_known, checked_fraction, checked_integer
from lightning_tf.data.data_module import DataModule
from lightning_tf.data.sources.new_examples import NewExamples
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.tasks.common.fused_batch_norm_task import FusedBatchNormTask
from lightning_tf.tasks.common.optimizer_settings import OptimizerSettings
from lightning_tf.tasks.common.spec_task import SpecTask
from lightning_tf.tasks.object_detection.anchor_settings import AnchorSettings
from lightning_tf.tasks.object_detection.anchors import Anchors
from lightning_tf.tasks.object_detection.augmentation.augmentation_settings import (
    AugmentationSettings,
)
from lightning_tf.tasks.object_detection.backbone_levels import BackboneLevels
from lightning_tf.tasks.object_detection.box_coding import BoxCoding
from lightning_tf.tasks.object_detection.detection_loss import DetectionLoss
from lightning_tf.tasks.object_detection.detection_spec import (
    DetectionSpec,
    checked_image_size,
    data_shape,
    training_objects,
)
from lightning_tf.tasks.object_detection.detection_steps import DetectionSteps
from lightning_tf.tasks.object_detection.detection_writer import detection_writer
from lightning_tf.tasks.object_detection.detections import Detections
from lightning_tf.tasks.object_detection.detector import Detector
from lightning_tf.tasks.object_detection.export import (
    check_format,
    computing_in_float32,
    detecting_model,
    export_detector,
)
from lightning_tf.tasks.object_detection.losses import chosen_losses
from lightning_tf.tasks.object_detection.new_photos import (
    new_photos,
    object_columns,
    photo_examples,
)
from lightning_tf.tasks.object_detection.task_data import detector_data

DEFAULTS = (1e-3, 0.05)  # of the learning rate and the warm-up
VARIANCES = {"retinanet": (1.0, 1.0), "ssd": (0.1, 0.2)}  # of the box coding in their code


class ObjectDetection(DetectionSteps, FusedBatchNormTask):
    """Finds the objects of several classes in an image, and the box around each.

    A batch is ``(images, objects)``: uint8 images of shape (batch, height, width, channels) in
    [0, 255]; objects a dict of ``boxes`` float32 (batch, objects, 4), x0, y0, x1, y1 in pixels of
    the input image, ``labels`` int32 (batch, objects), -1 for padding, ``ignored`` bool (batch,
    objects), ``frame`` float32 (batch, 4), x0, y0, scale x, scale y of input = original * scale +
    offset, and ``size`` int32 (batch, 2), height and width of the original. What is to be predicted
    has neither boxes nor labels nor ignored.

    ``retinanet`` (Lin et al., "Focal Loss for Dense Object Detection", 2017,
    https://arxiv.org/abs/1708.02002) has a feature pyramid and a head that all levels share;
    ``ssd`` (Liu et al., "SSD: Single Shot MultiBox Detector", 2016,
    https://arxiv.org/abs/1512.02325) has a head on each feature map. Each image's loss is divided
    by its own number of anchors with an object, and the loss is the mean over images, so that
    several replicas and accumulation change no number, unless BatchNormalization trains.
    ``class_loss`` and ``box_loss`` are logged beside ``loss``, which is their sum.

    `predict_step` gives ``boxes`` float32 (batch, K, 4) in pixels of the original image, ``scores``
    (batch, K), descending, ``labels`` int32 (batch, K), -1 for padding, and ``count`` int32
    (batch,). Gradients of the first updates are large: ``Trainer(gradient_clip_val=10.0)`` is a
    good bound.

    Args:
        data: A name, a folder, a file or arrays with boxes, a DataModule of such batches, or None
            for a task from a checkpoint; see `detection_data`.
        backbone: ``small``, a network to train from nothing; a name of keras.applications;
            ``"keras_hub:<preset or folder>"``; a keras-hub backbone; or a Keras model, whose
            outputs are the levels if it has several.
        head: ``retinanet`` or ``ssd``.
        weights: For a name of keras.applications: ``imagenet``, a local file of the network without
            its top, or None for random ones.
        train: ``all`` of the network, or all but the backbone with ``head``.
        fixed_layers: Names of layers of the backbone that never train.
        freeze_batch_norm: Whether the backbone's BatchNormalization layers stay as they are. If the
            rest of it trains, nothing then bounds its features: at 1e-4 and more they are lost.
        levels: Of the feature maps; level k has the stride 2^k. None is (3, 4, 5, 6).
        width: Channels of the maps that the head sees.
        anchors: ``auto`` fits them to the training boxes; or numbers, see `AnchorSettings`.
        box_loss: ``giou``, ``ciou`` or ``smooth_l1``; None is giou, for ssd smooth_l1.
        class_loss: ``focal`` or ``softmax`` with hard negatives; None is the head's own.
        image_size: Side, or height and width, of the input image: multiples of 32.
        resize: ``letterbox`` keeps the shape of what an image shows, ``stretch`` does not.
        batch_size: Images in a global batch; None is the data's own, 8.
        data_dir: Where the files of a named data set are.
        data_options: Further options of `detection_data`.
        max_objects: Rows of objects in a batch; None is the most in any image.
        augmentation: Names of `BoxAugmentation`: flip, scale, shift, crop, color.
        mosaic: Share of training images that are made of four.
        close_augmentation_epochs: The last epochs go without mosaic, scale, shift and crop.
        optimizer: As of `ImageClassification`.
        learning_rate: At the start, or after the warm-up; None is 0.001 for the Adam family.
        schedule: As of `ImageClassification`.
        warmup_steps: Updates of a linear warm-up, or a fraction of all of them below 1.0; None is
            0.05 for a named optimizer in a fit of 20 and more updates.
        weight_decay: As of `ImageClassification`.
        score_threshold: Detections below it are left out of predictions. Metrics look at all.
        nms_iou: Two detections of a class that overlap more are one object.
        max_detections: K, detections an image.
        fused_batch_norm: See `FusedBatchNormTask`.

    Raises:
        ConfigurationError: A name is unknown, a file is missing or a number is out of range; before
            training, weights cannot be had or the backbone lacks a level.

    Example:
        >>> from lightning_tf import Trainer
        >>> task = ObjectDetection("raccoon", backbone="MobileNetV2", image_size=160)
        >>> Trainer(max_epochs=20, gradient_clip_val=10.0).fit(task)
    """

    input_kind = "image"
    finds_several = True
    spec: DetectionSpec | None = None
    spec_class = DetectionSpec
    _weights_follow = False  # from a checkpoint: the backbone's need not be loaded before

    def __init__(
        self,
        data: Any = "digits",
        *,
        backbone: Any = "MobileNetV2",
        head: Literal["retinanet", "ssd"] = "retinanet",
        weights: str | os.PathLike[str] | None = "imagenet",
        train: Literal["all", "head"] = "all",
        fixed_layers: Sequence[str] = (),
        freeze_batch_norm: bool = False,
        levels: Sequence[int] | None = None,
        width: int = 96,
        anchors: Any = "auto",
        box_loss: str | None = None,
        class_loss: str | None = None,
        image_size: int | tuple[int, int] = 224,
        resize: Literal["letterbox", "stretch"] = "letterbox",
        batch_size: int | None = None,
        data_dir: str | os.PathLike[str] | None = None,
        data_options: Mapping[str, Any] | None = None,
        max_objects: int | None = None,
        augmentation: str | Sequence[str] | None = ("flip", "scale", "shift", "color"),
        mosaic: float = 0.0,
        close_augmentation_epochs: int = 0,
        optimizer: Any = "adamw",
        learning_rate: float | None = None,
        schedule: Any = None,
        warmup_steps: float | None = None,
        weight_decay: float | None = None,
        score_threshold: float = 0.3,
        nms_iou: float = 0.5,
        max_detections: int = 100,
        fused_batch_norm: bool = True,
    ) -> None:
        check_known(f"train={train!r}", train, ("all", "head"))
        self.detector = Detector(
            BackboneLevels(backbone, weights),
            head,
            levels=levels,
            width=width,
            train_backbone=train == "all",
            fixed_layers=fixed_layers,
            freeze_batch_norm=freeze_batch_norm,
        )
        self.anchor_settings = AnchorSettings(anchors, head)
        self.class_loss, self.box_loss = chosen_losses(head, class_loss, box_loss)
        self.optimizer_settings = OptimizerSettings(
            optimizer, learning_rate, schedule, warmup_steps, weight_decay, *DEFAULTS
        )
        self.augmentation_settings = AugmentationSettings(
            augmentation, mosaic, close_augmentation_epochs
        )
        self.score_threshold = checked_fraction("score_threshold", score_threshold)
        self.nms_iou = checked_fraction("nms_iou", nms_iou)
        self.max_detections = checked_integer("max_detections", max_detections, least=1)
        self.fused_batch_norm = fused_batch_norm

        self.image_size, self.resize = checked_image_size(image_size), resize
        self.detector.check_size(self.image_size)
        self.data = detector_data(
            data,
            image_size=self.image_size,
            resize=resize,
            batch_size=batch_size,
            data_dir=data_dir,
            max_objects=max_objects,
            more=data_options,
        )
        self.record_data(data)

    # ---- what it is built to

    def setup(self, stage: str) -> None:
        """Learn classes and anchors from the data; prepare the run."""
        SpecTask.setup(self, stage)
        FusedBatchNormTask.setup(self, stage)
        if stage == "fit":
            self.augmentation_settings.check_epochs(self.trainer.max_epochs)
            if self.data is not None:
                replicas = self.trainer.placement.num_replicas
                self.augmentation_settings.check_batch(self.data, replicas)

    def learn_spec(self) -> DetectionSpec:
        """Return classes and anchors: those of a checkpoint or an earlier run, else of the data.

        Raises:
            ConfigurationError: There are neither data nor a spec, or the data are of other classes
                or another size than what is known.
        """
        if self.spec is None and self.data is not None:
            self.data.setup("fit")
            shape, names = data_shape(self.data)
            self.detector.check_size(shape[:2])
            boxes, labels = training_objects(self.data)
            size = (shape[0], shape[1])
            anchors = self.anchor_settings.build(size, self.detector.levels, boxes, labels)
            resize = getattr(self.data, "resize", self.resize)
            self.spec = DetectionSpec(shape, names, list(anchors.levels), anchors.sizes, resize)
        if self.spec is None:
            raise ConfigurationError(
                "data is None; give data to learn from, or take the task from a checkpoint."
            )
        if self.data is not None:
            self.spec.check_data(self.data)
        return self.spec

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take classes and anchors of a checkpoint, whose weights were learnt with them."""
        super().load_state_dict(state)
        self._weights_follow = True

    def configure_model(self) -> None:
        """Build the detector, as `model`; `backbone` is in it."""
        spec = self.learn_spec()
        height, width, channels = spec.input_shape
        self.class_names = spec.class_names
        self.anchors = Anchors((height, width), tuple(spec.levels), spec.anchors)
        coding = BoxCoding(VARIANCES[self.detector.head])

        self.built = self.detector.build(
            self.anchors,
            channels=channels,
            num_classes=len(self.class_names),
            class_loss=self.class_loss,
            load=not self._weights_follow,
        )
        self.model, self.backbone = self.built.model, self.built.backbone
        boxes = self.anchors.boxes
        self.losses = DetectionLoss(boxes, coding, self.class_loss, self.box_loss)
        self.detections = Detections(
            boxes, coding, (height, width), self.class_loss, self.nms_iou, self.max_detections
        )
        # Made here and not before: seed generators take their seed from the Trainer's.
        self.augmentation = self.augmentation_settings.build()
        self.fuse_batch_norm()

    def configure_optimizers(self) -> keras.optimizers.Optimizer:
        """Make the optimizer, with its schedule over the updates of this fit."""
        return self.optimizer_settings.build(self.trainer.estimated_stepping_batches, self.model)

    def evaluation_data(self, stage: str, data: Any) -> DataModule:
        """Return images to predict; to evaluate, the task takes none but its own."""
        if stage != "predict":
            return super().evaluation_data(stage, data)
        return new_photos(data, self.learn_spec(), 8 if self.data is None else self.data.batch_size)

    def new_examples(self, data: Any, *, broken: str = "error") -> NewExamples:
        """Return images of any size to find objects in.

        Args:
            data: A folder, a file, an array, an image of pillow, or a list of these.
            broken: ``error`` or ``skip``: what becomes of files that cannot be decoded.
        """
        module = new_photos(data, self.learn_spec(), 8, broken=broken)
        return photo_examples(data, module)

    def prediction_columns(self, outputs: Any, names: Mapping[str, Any]) -> dict[str, Any]:
        """Return a row for each object that was found; an image without any has none."""
        return object_columns(outputs, names, self.class_names)

    def prediction_writer(
        self, directory: str | os.PathLike[str] | None, format: str, save_images: bool = False
    ) -> Callback | None:
        """Return a `DetectionWriter` for its formats, ``coco``, ``csv`` and ``json``."""
        return detection_writer(directory, format, save_images)

    def export(self, path: str | os.PathLike[str], format: str = "saved_model") -> Path:
        """Write the detector in a format of `Task.export`.

        ``keras`` is refused; ``onnx`` and ``litert`` compute in float32 under every precision.
        """
        check_format(format)
        if format in ("saved_model", "safetensors") or not self.configured:
            return super().export(path, format)
        with computing_in_float32(self.model):
            return super().export(path, format)

    def exported_model(self) -> keras.Model:
        """Return the network with its detections as the last layer; see `detecting_model`."""
        return detecting_model(self)

    def export_saved_model(self, path: Path) -> None:
        """Write a SavedModel that takes images or files of any size; see `export_detector`."""
        export_detector(self, path)
