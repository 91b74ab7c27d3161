"""What a window of each Task would cost on a GPU, counted on a CPU: copies, launches, variables.

    python benchmarks/gpu_plan.py [--write]

Nothing here was timed, and no GPU was at hand: `GraphPlan` says where the counts come from.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from graph_plan import GraphPlan, plan
from measure import arguments, report
from measure import table as text_table

from lightning_tf import Callback, Trainer, keras_internals
from lightning_tf.distribute.single_device import SingleDevice
from lightning_tf.tasks import (
    GAN,
    ImageClassification,
    KerasTask,
    TabularClassification,
    TextClassification,
    TimeSeriesForecast,
)

STAND_IN = "CPU:1"  # for the GPU; what is placed on CPU:0 was put on the host
TEXTS = (["good film here", "bad film"] * 40, ["p", "n"] * 40)


class StandIn(SingleDevice):
    """A device that the Trainer takes for a GPU."""

    is_gpu = True


@contextmanager
def with_cudnn() -> Iterator[None]:
    """Let recurrent layers take cuDNN's kernels, which can be traced where they cannot run."""
    before = keras_internals.rnn._is_gpu_available
    keras_internals.rnn._is_gpu_available = lambda: True
    try:
        yield
    finally:
        keras_internals.rnn._is_gpu_available = before


class Counted(Callback):
    """Counts the first window's graph, and asks for the end."""

    logs_metrics = False

    def on_train_start(self, trainer: Trainer, task: Any) -> None:
        """Count."""
        (traced,) = trainer.state.fit_loop.window._loop._traced.values()
        self.plan = plan(traced.graph, STAND_IN)
        trainer.request_stop("counted")


def table() -> pd.DataFrame:
    """Return rows with a number and a category."""
    return pd.DataFrame({"a": np.arange(80.0), "c": ["u", "v"] * 40, "label": ["p", "q"] * 40})


def series() -> pd.DataFrame:
    """Return two hundred days of noise."""
    values = np.random.default_rng(0).normal(size=200)
    return pd.DataFrame({"day": pd.date_range("2020-01-01", periods=200), "y": values})


def resnet() -> KerasTask:
    """Return a ResNet50 with Adam on small images."""
    model = keras.applications.ResNet50(weights=None, classes=10, input_shape=(64, 64, 3))
    data = np.zeros((32, 64, 64, 3), "float32"), np.zeros(32, "int64")
    loss = "sparse_categorical_crossentropy"
    return KerasTask(model, loss, keras.optimizers.Adam(), data=data, batch_size=8)


TASKS: dict[str, tuple[Callable[[], Any], str]] = {
    "images": (lambda: ImageClassification("digits"), "float32"),
    "images, float16": (lambda: ImageClassification("digits"), "mixed_float16"),
    "table": (lambda: TabularClassification(table(), "label"), "float32"),
    "texts": (lambda: TextClassification(TEXTS), "float32"),
    "texts, lstm": (lambda: TextClassification(TEXTS, network="lstm"), "float32"),
    "texts, bidirectional_gru": (
        lambda: TextClassification(TEXTS, network="bidirectional_gru"),
        "float32",
    ),
    "series, gru": (lambda: TimeSeriesForecast(series(), network="gru", history=10), "float32"),
    "GAN": (lambda: GAN("digits"), "float32"),
    "ResNet50": (resnet, "float32"),
}


def count(name: str) -> GraphPlan:
    """Return the counts of a task's window.

    Args:
        name: One of `TASKS`.
    """
    make, precision = TASKS[name]
    counted = Counted()
    trainer = Trainer(
        max_epochs=1, precision=precision, logger=False, jit_compile=False, callbacks=counted,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
        limit_val_batches=0,
    )  # fmt: skip
    trainer.placement = StandIn(f"/{STAND_IN}")
    with with_cudnn():
        trainer.fit(make())
    return counted.plan


def main() -> None:
    """Count for each task."""
    options = arguments(__doc__ or "")

    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    rows = []
    for name in TASKS:
        found = count(name)
        rows.append([name, *map(str, found.row().values())])
        for wanted, times in found.batch.to_host.items():
            print(f"{name}: {times} to the host for {wanted}")
    text = (
        "Counted from the registered kernels, not timed: no GPU was at hand. Of each batch: copies "
        "to the host (each a wait for the device), copies to the device, operations there. Steps "
        "are those without XLA, lstm and gru by cuDNN.\n\n"
    )
    head = ["task", "copies to the host", "to the device", "launches", "int32 variables"]
    report("gpu_plan", text + text_table(head, rows), [], options)


if __name__ == "__main__":
    main()
