"""trainer_card: what a notebook shows of a Trainer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lightning_tf.html_table import html_card
from lightning_tf.task_card import short_text

if TYPE_CHECKING:
    from lightning_tf.trainer import Trainer

LIMITS = ("max_epochs", "max_steps", "max_time")


def trainer_card(trainer: Trainer) -> str:
    """Return a Trainer as HTML: what it drives, where it stands, and what it measured last.

    Args:
        trainer: In any state; nothing is read from the device.
    """
    limits = [f"{name}={value}" for name in LIMITS if (value := getattr(trainer, name)) is not None]
    task, metrics = trainer.task, trainer.callback_metrics
    devices = ", ".join(device.strip("/") for device in trainer.placement.devices)
    replicas = trainer.placement.num_replicas
    rows = [
        ["task", "none yet" if task is None else type(task).__name__],
        ["done", f"{trainer.current_epoch:,} epochs, {trainer.global_step:,} updates"],
        ["runs now", trainer.entry_point or ""],
        ["limits", ", ".join(limits) or "none: fit needs one"],
        ["stopped", trainer.stop_reason],
        ["precision", trainer.precision],
        ["devices", devices if replicas == 1 else f"{replicas} replicas: {devices}"],
        ["seed", "" if trainer.seed is None else str(trainer.seed)],
        ["callbacks", ", ".join(type(callback).__name__ for callback in trainer.callbacks)],
        ["files", trainer.log_dir or ""],
        *([name, short_text(round(value, 6))] for name, value in metrics.items()),
    ]
    return html_card("Trainer", rows)
