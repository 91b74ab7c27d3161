"""Placement: accelerator, devices and strategy to what tf.distribute needs."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import tensorflow as tf

from lightning_tf.exceptions import ConfigurationError, nearest

ACCELERATORS = ("auto", "cpu", "gpu")


class Placement:
    """Where a run computes: one device, without a strategy around it.

    Args:
        accelerator: ``auto`` takes a GPU where there is one; ``cpu`` or ``gpu``.
        devices: ``auto`` or 1.
        strategy: ``auto``.

    Raises:
        ConfigurationError: There is no such device, or more than one is asked for.
    """

    def __init__(self, accelerator: str, devices: Any, strategy: Any) -> None:
        if accelerator not in ACCELERATORS:
            raise ConfigurationError(
                f"accelerator={accelerator!r} is unknown.{nearest(accelerator, ACCELERATORS)}"
            )
        if devices not in ("auto", 1, "1") or strategy != "auto":
            raise ConfigurationError(
                f"devices={devices!r}, strategy={strategy!r}: this version trains on one device; "
                "pass devices=1 and strategy='auto'."
            )
        gpus = tf.config.list_logical_devices("GPU")
        if accelerator == "gpu" and not gpus:
            raise ConfigurationError(
                "accelerator='gpu': TensorFlow sees no GPU; install a build with CUDA, or pass "
                "accelerator='cpu'."
            )
        self.device = "/CPU:0" if accelerator == "cpu" or not gpus else "/GPU:0"
        self.num_replicas = 1

    def scope(self) -> AbstractContextManager[Any]:
        """The context in which models are made and steps are traced and run."""
        device: AbstractContextManager[Any] = tf.device(self.device)
        return device
