"""make_window: a step as a graph and its loop, or op by op where the Trainer wants that."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from lightning_tf.graph.eager_window import EagerWindow
from lightning_tf.graph.window import Window
from lightning_tf.graph.xla import should_jit_compile

if TYPE_CHECKING:
    from lightning_tf.graph.evaluation_step import EvaluationStep
    from lightning_tf.graph.stage_metrics import StageMetrics
    from lightning_tf.graph.training_step import TrainingStep
    from lightning_tf.trainer import Trainer


def make_window(
    trainer: Trainer,
    step: TrainingStep | EvaluationStep,
    metrics: StageMetrics,
    batches: Any,
    **options: Any,
) -> Window:
    """Make the window that runs a step.

    Args:
        trainer: Says where and how.
        step: Of training or evaluation.
        metrics: The stage's.
        batches: The data set; a graph needs no more of it than its `element_spec`.
        options: Of `Window`.
    """
    if trainer.run_eagerly:
        unmoved = partial(trainer.state.unmoved, trainer, step.task, metrics)
        return EagerWindow(step, metrics, trainer.placement, batches, unmoved, **options)
    return Window(
        step,
        metrics,
        trainer.placement,
        batches.element_spec,
        jit_compile=should_jit_compile(trainer.jit_compile, trainer.placement, step.task),
        **options,
    )
