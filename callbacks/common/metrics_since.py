"""metrics_since: what was measured after an update."""

from lightning_tf.trainer import Trainer


def metrics_since(trainer: Trainer, step: int) -> dict[str, float]:
    """Return the metrics that were measured after an update."""
    steps = trainer.metric_steps
    return {n: value for n, value in trainer.callback_metrics.items() if steps[n] > step}
