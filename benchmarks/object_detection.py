"""A detector's step against its network alone and keras-hub's RetinaNet; mAP's share of validation.

    python benchmarks/object_detection.py [--runs 3] [--write] [--check] [--quick]

RetinaNet on MobileNetV2 of random weights, 20 classes, noise of 160 x 160 pixels with 1 to 8 boxes,
batch 8, AdamW. Contenders for a training step: forward and backward pass of ObjectDetection's
network without losses and update; ObjectDetection under the Trainer, without augmentation and with
the default one; the first two at 224 x 224 pixels, the default size; keras-hub's RetinaNet under
fit, on the same backbone, levels and number of convolutions in the head (they have 256 filters and
are not separable, which cannot be chosen); and torchvision's RetinaNet in a plain torch loop with
channels_last (`make bench-peers`; in another process, in turn with the rest), with the widths,
separable convolutions, anchors and losses of ours. What differs: its feature maps are a block's
outputs (32, 96 and 1280 channels), ours the last of their size (192, 576 and 1280), its map of
stride 64 is a pooled one, and it divides a batch's losses by all its positives.

An epoch counts from its start to the start of the next; the first is left out. mAP: the time of
`update` and `compute` within the second validation of a fit, over 500 images; the report says how
many detections there were.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import keras
import measure
import numpy as np
import tensorflow as tf
from evaluation import StageClock
from peer import Peer, note, peer

from lightning_tf import Callback, Trainer
from lightning_tf.data import ArrayData
from lightning_tf.tasks import ObjectDetection
from lightning_tf.tasks.object_detection.mean_average_precision import MeanAveragePrecision

SIDE, DEFAULT_SIDE, CLASSES, OBJECTS, BATCH = 160, 224, 20, 8, 8
LEVELS, STRIDES = (3, 4, 5, 6), {"P3": 8, "P4": 16, "P5": 32}
STEPS, EPOCHS, VALIDATED = 10, 3, 500
DEFAULT = ("flip", "scale", "shift", "color")
TORCH_SCALE = 2.0  # of the smallest anchor's side, in strides
ALONE = "network alone, forward and backward"
PLAIN, AUGMENTED = "ObjectDetection, no augmentation", "ObjectDetection, default augmentation"
HUB, TORCHVISION = "keras-hub's RetinaNet, fit", "torchvision's RetinaNet, torch loop"


def arrays(count: int, side: int = SIDE) -> tuple[Any, dict[str, Any]]:
    """Return images and objects as a batch of ObjectDetection has them."""
    random = np.random.RandomState(0)
    sides = random.uniform(16, 80, (count, OBJECTS, 2))
    corner = random.uniform(0, 1, sides.shape) * (side - sides)
    real = np.arange(OBJECTS) < random.randint(1, OBJECTS + 1, (count, 1))
    boxes = np.concatenate([corner, corner + sides], axis=-1) * real[..., None]
    return random.randint(0, 256, (count, side, side, 3)).astype("uint8"), {
        "boxes": boxes.astype("float32"),
        "labels": np.where(real, random.randint(0, CLASSES, real.shape), -1).astype("int32"),
        "ignored": np.zeros(real.shape, bool),
        "frame": np.tile(np.array([0, 0, 1, 1], "float32"), (count, 1)),
        "size": np.full((count, 2), side, "int32"),
        "index": np.arange(count),
    }


class TimedPrecision(MeanAveragePrecision):
    """Adds up how long it takes in an evaluation."""

    def reset(self) -> None:
        """Begin anew."""
        super().reset()
        self.seconds = 0.0

    def update(self, outputs: Mapping[str, Any]) -> None:
        """Take one batch."""
        start = time.perf_counter()
        super().update(outputs)
        self.seconds += time.perf_counter() - start

    def compute(self) -> dict[str, float]:
        """Return the numbers."""
        start = time.perf_counter()
        numbers = super().compute()
        self.seconds += time.perf_counter() - start
        return numbers


class Timed(ObjectDetection):
    """Times its metric."""

    def configure_host_metrics(self) -> dict[str, Any]:
        """Measure mAP."""
        return {"map": TimedPrecision(self.class_names)}


def detection(
    augmentation: Any = None, held_out: int | None = None, side: int = SIDE
) -> ObjectDetection:
    held = None if held_out is None else arrays(held_out)
    no_split = 0 if held is None else None
    data = ArrayData(
        *arrays(STEPS * BATCH, side), val=held, val_fraction=no_split, batch_size=BATCH
    )
    data.class_names = [f"class {label}" for label in range(CLASSES)]
    return Timed(data, weights=None, image_size=side, levels=LEVELS, augmentation=augmentation)


def fit(task: ObjectDetection, epochs: int, clock: Callback) -> None:
    with measure.trainer_folder() as folder:
        off = {"logger": False, "enable_checkpointing": False, "default_root_dir": folder}
        Trainer(max_epochs=epochs, gradient_clip_val=10.0, callbacks=[clock], **off).fit(task)


def trained(augmentation: Any = None, side: int = SIDE) -> measure.Timing:
    """Time the Trainer's epochs."""
    clock, task = measure.EpochClock(), detection(augmentation, side=side)
    return measure.timed(lambda: fit(task, EPOCHS, clock), clock.starts)


def network_alone(side: int = SIDE) -> measure.Timing:
    """Time forward and backward pass of the same network."""
    task, starts = detection(side=side), []
    task.make_models()
    weights = [variable.value for variable in task.model.trainable_variables]

    @tf.function(autograph=False)
    def step(images: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            raw = task.model(tf.cast(images, tf.float32), training=True)
            loss = tf.add_n([tf.reduce_mean(value) for value in raw.values()])
        # Of gradients that nothing needs the graph would compute none.
        return [tf.reduce_sum(part) for part in tape.gradient(loss, weights)]

    def run() -> None:
        for _ in range(EPOCHS):
            starts.append(time.perf_counter())
            for images, _ in task.data.train_dataset(0):
                sums = step(images)
            sums[-1].numpy()
        starts.append(time.perf_counter())

    return measure.timed(run, starts)


def hub_model() -> keras.Model:
    """Return keras-hub's RetinaNet over MobileNetV2, whose levels it has to be told."""
    from keras_hub.models import RetinaNetBackbone, RetinaNetObjectDetector

    shape = (SIDE, SIDE, 3)
    encoder = keras.applications.MobileNetV2(include_top=False, weights=None, input_shape=shape)
    sides = {name: SIDE // stride for name, stride in STRIDES.items()}
    encoder.pyramid_outputs = {
        name: next(x.output for x in reversed(encoder.layers) if x.output.shape[1] == side)
        for name, side in sides.items()
    }
    backbone = RetinaNetBackbone(encoder, LEVELS[0], LEVELS[-1], use_p5=False, image_shape=shape)
    model = RetinaNetObjectDetector(
        backbone, CLASSES, bounding_box_format="xyxy", pre_logits_num_conv_layers=2
    )
    model.compile(keras.optimizers.AdamW(1e-3, global_clipnorm=10.0))  # its own losses
    return model


def hub_fit() -> measure.Timing:
    """Time the epochs of fit."""
    clock, model = measure.KerasEpochClock(), hub_model()

    def pair(images: tf.Tensor, objects: dict[str, tf.Tensor]) -> Any:
        labels = {"boxes": objects["boxes"], "labels": tf.cast(objects["labels"], tf.float32)}
        return tf.cast(images, tf.float32), labels

    batches = detection().data.train_dataset(0).map(pair)
    return measure.timed(
        lambda: model.fit(batches, epochs=EPOCHS, verbose=0, callbacks=[clock]), clock.starts
    )


def validated() -> tuple[float, float, int]:
    """Return the seconds of a fit's second validation and of its mAP, and the detections."""
    clock, task = StageClock(), detection(held_out=VALIDATED)
    fit(task, 2, clock)
    metric = task.host_metrics["map"]
    detections = sum(len(image.scores) for image in metric.images.values())
    return clock.validations[-1], metric.seconds, detections


def has_torchvision(process: Peer) -> bool:
    """Return whether the peers' environment has torchvision."""
    return "torchvision" in process.versions


def contenders_for_a_step(process: Peer | None) -> dict[str, Callable[[], measure.Timing]]:
    """Return all that take turns, torchvision's only where it is installed."""
    contenders: dict[str, Callable[[], measure.Timing]] = {
        ALONE: network_alone,
        PLAIN: trained,
        AUGMENTED: partial(trained, DEFAULT),
        f"{ALONE}, {DEFAULT_SIDE} px": partial(network_alone, DEFAULT_SIDE),
        f"{PLAIN}, {DEFAULT_SIDE} px": partial(trained, side=DEFAULT_SIDE),
        HUB: hub_fit,
    }
    if process is not None and has_torchvision(process):
        same = {"steps": STEPS, "epochs": EPOCHS, "batch": BATCH, "side": SIDE, "classes": CLASSES}
        loop = process.contender("detection", "loop", most=OBJECTS, scale=TORCH_SCALE, **same)
        contenders[TORCHVISION] = loop
    return contenders


def main() -> None:
    options = measure.arguments(__doc__.splitlines()[0], runs=3)
    options.runs = 1 if options.quick else options.runs
    with peer() as process:
        contenders = contenders_for_a_step(process)
        medians, rounds = measure.alternate(contenders, options.runs, warm_up=False)
        others = note(process)
        if process is not None and not has_torchvision(process):
            others += " Without torchvision, so that its row is left out."

    rows = [[name, f"{median.epoch / STEPS * 1e3:.0f}"] for name, median in medians.items()]
    parts = [validated() for _ in range(options.runs)]
    whole, precision, count = sorted(parts, key=lambda part: part[1] / part[0])[len(parts) // 2]
    text = (
        f"{others}\n\n{measure.table(['', 'ms a step'], rows)}\n\nValidation of {VALIDATED} "
        f"images: {whole:.2f} s, of which mAP of {count:,} detections {precision:.2f} s."
    )
    plain, alone = rounds[PLAIN], rounds[ALONE]
    large, large_alone = (rounds[f"{name}, {DEFAULT_SIDE} px"] for name in (PLAIN, ALONE))
    augmented = rounds[AUGMENTED]
    targets = [
        measure.Target("step to the network alone", 1 / measure.speed(plain, alone), 1.3),
        measure.Target(f"the same, {DEFAULT_SIDE} px", 1 / measure.speed(large, large_alone), 1.3),
        measure.Target("step with augmentation to it", 1 / measure.speed(augmented, alone), 1.5),
        measure.Target("mAP's share of a validation", precision / whole, 0.1),
        measure.Target(
            "speed to keras-hub's step", measure.speed(plain, rounds[HUB]), at_least=1.0
        ),
    ]
    if TORCHVISION in rounds:  # a figure without a target: its convolutions are another library's
        ratio = measure.speed(plain, rounds[TORCHVISION])
        text += f"\n\nSpeed to torchvision's step: {ratio:.2f}."
    measure.report("object_detection", text, targets, options)


if __name__ == "__main__":
    main()
