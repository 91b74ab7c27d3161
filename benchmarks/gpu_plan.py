"""What a window of each Task would cost on a GPU, counted on a CPU: copies, launches, variables.

    python benchmarks/gpu_plan.py [--write]

Nothing here was timed, and no GPU was at hand: `GraphPlan` says where the counts come from.
"""

import contextlib
from collections.abc import Iterator
from itertools import product
from typing import Any
from unittest import mock

import tensorflow as tf
from gpu_plan_tasks import TASKS
from graph_plan import GraphPlan, plan
from measure import arguments, report, table

from lightning_tf import Trainer, keras_internals
from lightning_tf.distribute.single_device import SingleDevice
from lightning_tf.graph.graph_loop import GraphLoop
from lightning_tf.graph.moved_batches import can_move

STAND_IN = "CPU:1"  # for the GPU; what is placed on CPU:0 was put on the host
STAGES = ("fit", "validate", "predict")
EVALUATED = ("images", "table")


class StandIn(SingleDevice):
    """A device that the Trainer takes for a GPU."""

    is_gpu = True


@contextlib.contextmanager
def with_cudnn() -> Iterator[None]:
    """Let recurrent layers take cuDNN's kernels, which can be traced where they cannot run."""
    before = keras_internals.rnn._is_gpu_available
    keras_internals.rnn._is_gpu_available = lambda: True
    try:
        yield
    finally:
        keras_internals.rnn._is_gpu_available = before


class Traced(Exception):
    """Ends a run whose window is traced: cuDNN's kernels cannot run here."""


@contextlib.contextmanager
def first_loop() -> Iterator[list[GraphPlan]]:
    """Plan the first window that is traced, and end the run before its first call."""
    plans, trace = [], GraphLoop._trace

    def noting(loop: GraphLoop, *how: Any) -> None:
        trace(loop, *how)
        graph = loop._traced[how].graph
        plans.append(plan(graph, STAND_IN, can_move(loop._spec)))  # while its variables live
        raise Traced

    with mock.patch.object(GraphLoop, "_trace", noting), contextlib.suppress(Traced):
        yield plans


def count(name: str, stage: str = "fit") -> GraphPlan:
    """Return the counts of a task's window.

    Args:
        name: One of `TASKS`.
        stage: One of `STAGES`.
    """
    make, precision = TASKS[name]
    trainer = Trainer(
        max_steps=1, precision=precision, logger=False, jit_compile=False, seed=0,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
        limit_val_batches=0 if stage == "fit" else 1, limit_predict_batches=1,
    )  # fmt: skip
    trainer.placement = StandIn(f"/{STAND_IN}")
    with with_cudnn(), first_loop() as plans:
        found = getattr(trainer, stage)(make())
        if stage == "predict":
            list(found)
    return plans[0]


def main() -> None:
    """Count for each task."""
    options = arguments(__doc__ or "")

    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    rows = []
    for name, stage in [*((n, "fit") for n in TASKS), *product(EVALUATED, STAGES[1:])]:
        found = count(name, stage)
        rows.append([name, stage, *map(str, found.row().values())])
        for wanted, times in found.batch.to_host.items():
            print(f"{name}, {stage}: {times} to the host for {wanted}")
    text = (
        "Counted from the registered kernels, not timed: no GPU was at hand. Of each batch: copies "
        "to the host (each a wait for the device), copies to the device, operations there. Steps "
        "are those without XLA, lstm and gru by cuDNN.\n\n"
    )
    head = [
        "task",
        "window of",
        "copies to the host",
        "to the device",
        "launches",
        "int32 variables",
    ]
    report("gpu_plan", text + table(head, rows), [], options)


if __name__ == "__main__":
    main()
