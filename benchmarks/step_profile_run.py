"""One step of `step_profile.py`, in a process whose TensorFlow has one thread; prints JSON."""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "jobs/augmented_images"), str(HERE / "jobs/gan")]

import keras  # noqa: E402 (behind the folders of the jobs)
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

from lightning_tf import Callback, Task, Trainer  # noqa: E402
from lightning_tf.callbacks import BackboneFinetuning  # noqa: E402
from lightning_tf.keras_internals import flat_layers  # noqa: E402
from lightning_tf.profiler import TraceProfiler  # noqa: E402
from lightning_tf.tasks import (  # noqa: E402
    GAN,
    ImageClassification,
    TimeSeriesForecast,
    TransferLearning,
)
from lightning_tf.variables import components  # noqa: E402

WARM_UP, ROWS = 4, 60
Pass = tuple[keras.Layer, bool, bool]  # whether its weights, and its inputs, need gradients


def images(count: int, size: int, classes: int) -> Any:
    random = np.random.default_rng(0)
    x = random.integers(0, 256, (count, size, size, 3)).astype("uint8")
    y = np.arange(count) % classes
    return (x, y), (x[:32], y[:32]), (x[:32], y[:32])


def conv_net() -> Task:
    from network import convolutional_net

    options = {"schedule": "constant", "augmentation": ["flip", "crop"], "batch_size": 64}
    return ImageClassification(images(64 * 20, 32, 10), convolutional_net(), **options)


def transfer() -> Task:
    options = {"weights": None, "train": "all", "augmentation": "flip", "schedule": "constant"}
    return TransferLearning(images(32 * 16, 160, 2), "MobileNetV2", **options)


def gan() -> Task:
    from networks import discriminator, generator

    networks = (generator(), discriminator())
    return GAN("mnist5k", networks=networks, batch_size=64, ema=0.0, quality_every_n_epochs=0)


def gru() -> Task:
    series = np.random.default_rng(0).normal(size=3_000).cumsum().astype("float32")
    return TimeSeriesForecast(series, "gru", history=ROWS, schedule="constant")


TASKS = {"conv_net": conv_net, "head": transfer, "fine_tuning": transfer, "gan": gan, "gru": gru}


class Clock(Callback):
    """CPU seconds at the ends of the steps between which is measured."""

    logs_metrics = False

    def __init__(self, ends: list[int]) -> None:
        self.ends, self.usage = ends, {}

    def next_step(self, trainer: Trainer) -> int | None:
        """Let a window end at each."""
        return min((end for end in self.ends if end > trainer.global_step), default=None)

    def on_train_window_end(self, trainer: Trainer, task: Task) -> None:
        """Note what the process has used."""
        usage = resource.getrusage(resource.RUSAGE_SELF)
        self.usage[trainer.global_step] = (usage.ru_utime, usage.ru_stime)


def kernels(folder: str, steps: int) -> dict[str, float]:
    """Return the milliseconds of a step by type of operation, of each its fastest run."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    (file,) = Path(folder).rglob("*.xplane.pb")
    space = xplane_pb2.XSpace.FromString(file.read_bytes())
    runs = defaultdict(list)
    for plane in space.planes:
        for event in (event for line in plane.lines for event in line.events):
            name = plane.event_metadata[event.metadata_id].name
            if "/" in name and ":" in name:  # an operation of the graph and its type
                runs[name].append(event.duration_ps)
    sums: dict[str, float] = defaultdict(float)
    for name, durations in runs.items():
        sums[name.split(":")[-1]] += min(durations) * len(durations) / steps / 1e9
    return dict(sums)


def passes(name: str, task: Task) -> Iterator[Pass]:
    """Yield every convolution and matrix product of a step, forward, with its gradients."""
    parts = {key: part for key, part in components(task) if isinstance(part, keras.Layer)}
    products = {
        key: [layer for layer in flat_layers(part) if type(layer) in PRODUCTS]
        for key, part in parts.items()
    }
    if name == "gan":
        for number, layer in enumerate(products["discriminator"]):
            yield from 2 * [(layer, True, number > 0)]  # real and fake
            yield layer, False, True  # the generator's loss
        for number, layer in enumerate(products["generator"]):
            yield layer, True, number > 0
        return
    layers = list({id(layer): layer for each in products.values() for layer in each}.values())
    backbone = next((part for key, part in parts.items() if key.endswith("backbone")), None)
    frozen = set() if backbone is None else {id(layer) for layer in flat_layers(backbone)}
    if name == "fine_tuning":
        frozen -= {id(layer) for layer in backbone.layers[-30:]}
    below = False  # whether a layer before this one trains
    for layer in layers:
        trains = id(layer) not in frozen
        yield layer, trains, trains and below
        below = below or trains


def _convolution(layer: Any) -> Callable[[Any, Any], Any]:
    return lambda x, kernel: tf.nn.conv2d(x, kernel, layer.strides, layer.padding.upper())


def _depthwise(layer: Any) -> Callable[[Any, Any], Any]:
    strides = [1, *layer.strides, 1]
    return lambda x, kernel: tf.nn.depthwise_conv2d(x, kernel, strides, layer.padding.upper())


def _transposed(layer: Any) -> Callable[[Any, Any], Any]:
    return lambda x, kernel: tf.nn.conv2d_transpose(
        x, kernel, [x.shape[0], *layer.output.shape[1:]], layer.strides, layer.padding.upper()
    )


PRODUCTS: dict[type, Callable[[Any], Callable[[Any, Any], Any]]] = {
    keras.layers.Conv2D: _convolution,
    keras.layers.DepthwiseConv2D: _depthwise,
    keras.layers.Conv2DTranspose: _transposed,
    keras.layers.Dense: lambda layer: tf.matmul,
}


def bare(product: Any, x: Any, kernel: Any, of_kernel: bool, of_x: bool, times: int = 1) -> float:
    """Return the milliseconds of a product and of those of its gradients that are asked for."""

    @tf.function(autograph=False)
    def compute(x: Any, kernel: Any) -> Any:
        elements = []  # one of each result, or the graph would leave the product out
        for number in range(times):
            factor = x if times == 1 else x + float(number)  # else it would be one product
            with tf.GradientTape() as tape:
                tape.watch([factor, kernel])
                y = product(factor, kernel)
            pairs = ((kernel, of_kernel), (factor, of_x))
            wanted = [tensor for tensor, is_wanted in pairs if is_wanted]
            gradients = tape.gradient(y, wanted, output_gradients=y) if wanted else []
            elements += [tf.reshape(tensor, [-1])[0] for tensor in (y, *gradients)]
        return tf.add_n(elements)

    compute(x, kernel)
    spent = []
    for _ in range(8):
        start = time.process_time()
        compute(x, kernel)
        spent.append(time.process_time() - start)
    return min(spent) * 1e3


def floor(name: str, task: Task, batch: int) -> float:
    """Return the milliseconds of a step's convolutions and matrix products alone."""
    if name == "gru":
        units = task.hparams["units"]
        # Of both layers, the inputs' product and the state's; the windows themselves do not train.
        sizes = [(1, False), (units, True), (units, True), (units, True)]
        kernels = [tf.random.normal((wide, 3 * units)) for wide, _ in sizes]
        return sum(
            bare(tf.matmul, tf.random.normal((batch, wide)), kernel, True, of_x, ROWS)
            for (wide, of_x), kernel in zip(sizes, kernels, strict=True)
        )
    return sum(
        bare(
            PRODUCTS[type(layer)](layer),
            tf.random.normal((batch, *layer.input.shape[1:])),
            tf.convert_to_tensor(layer.kernel),
            *wants,
        )
        for layer, *wants in passes(name, task)
    )


def main(name: str, steps: int) -> None:
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    first = WARM_UP + (16 if name == "fine_tuning" else 0)  # an epoch of the head has 16 batches
    ends = [first, first + steps, first + 2 * steps]
    clock, task = Clock(ends), TASKS[name]()
    callbacks: list[Callback] = [clock]
    if name in ("head", "fine_tuning"):
        epoch = 1 if name == "fine_tuning" else 99
        callbacks.append(BackboneFinetuning("backbone", unfreeze_at_epoch=epoch, layers=30))
    with tempfile.TemporaryDirectory() as folder:
        Trainer(
            max_steps=ends[-1],
            limit_val_batches=0,
            num_sanity_val_steps=0,
            log_every_n_steps=10**6,
            callbacks=callbacks,
            profiler=TraceProfiler(*ends[1:], dirpath=folder),
            default_root_dir=folder,
            enable_checkpointing=False,
            enable_progress_bar=False,
            logger=False,
            seed=0,
        ).fit(task)
        by_kernel = kernels(folder, steps)
    user, system = (
        (b - a) / steps for a, b in zip(clock.usage[ends[0]], clock.usage[ends[1]], strict=True)
    )
    answer = {"cpu": (user + system) * 1e3, "system": system * 1e3}
    batch = task.data.batch_size
    answer |= {"kernels": by_kernel, "floor": floor(name, task, batch)}
    print(json.dumps(answer))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
