"""LearningRateMonitor: logs the learning rate of every optimizer."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from lightning_tf.callback import Callback
from lightning_tf.keras_internals import learning_rate_of
from lightning_tf.optimizers.named_optimizer import NamedOptimizer
from lightning_tf.task import Task
from lightning_tf.trainer import Trainer


class LearningRateMonitor(Callback):
    """Logs learning rates and loss scales with every row, and where an epoch ends without one.

    Loggers get ``train/learning_rate``, or ``train/generator_learning_rate`` for each of several
    optimizers: the rate of the next update, whatever it comes from (a float, a schedule, a callback
    that changed it). Under ``mixed_float16`` also ``train/loss_scale``.

    All values come in one read, where the Trainer has just read its own.

    Args:
        log_momentum: Also log ``momentum`` of SGD and RMSprop, and ``beta_1`` of Adam and its kin.
        log_weight_decay: Also log ``weight_decay`` of the optimizers that have one.

    Example:
        >>> Trainer(max_epochs=20, callbacks=[LearningRateMonitor()]).fit(task)
    """

    logs_metrics = False

    def __init__(self, log_momentum: bool = False, log_weight_decay: bool = False) -> None:
        self.log_momentum, self.log_weight_decay = log_momentum, log_weight_decay
        self._read: Callable[[], tf.Tensor] | None = None
        self._traced_for: tuple[int, ...] = ()
        self._logged_step = -1

    def on_train_start(self, trainer: Trainer, task: Task) -> None:
        """Note where this fit begins: an epoch's end there has nothing new to log."""
        self._logged_step = trainer.global_step

    def on_train_window_end(self, trainer: Trainer, task: Task) -> None:
        """Log where a row was just written."""
        if self.has_row(trainer):
            self._log(trainer)

    def on_train_epoch_end(self, trainer: Trainer, task: Task) -> None:
        """Log where the epoch ends without a row."""
        if self._logged_step != trainer.global_step:
            self._log(trainer)

    def teardown(self, trainer: Trainer, task: Task, stage: str) -> None:
        """Release the optimizers."""
        self._read, self._traced_for = None, ()

    def _log(self, trainer: Trainer) -> None:
        if trainer.training is None:
            return

        self._logged_step = trainer.global_step
        optimizers = trainer.training.optimizers
        values = self._read_device(optimizers)
        for name, named in optimizers.items():
            values |= {_prefixed(name, key): value for key, value in self._read_host(named).items()}
        for name in values:
            trainer.status.refuse_taken(name, trainer.hooks.running)
        trainer.log_row(values)

    def _read_host(self, named: NamedOptimizer) -> dict[str, float]:
        """Return attributes of the Keras optimizer that are plain numbers."""
        wanted = ["momentum", "beta_1"] if self.log_momentum else []
        wanted += ["weight_decay"] if self.log_weight_decay else []
        values = {name: getattr(named.optimizer, name, None) for name in wanted}
        return {name: float(value) for name, value in values.items() if value is not None}

    def _read_device(self, optimizers: dict[str, NamedOptimizer]) -> dict[str, float]:
        """Return rates and loss scales in one traced call: a schedule is several operations."""
        scalers = {n: o.loss_scaler for n, o in optimizers.items() if o.loss_scaler is not None}

        def read() -> tf.Tensor:
            rates: list[Any] = [o.optimizer.learning_rate for o in optimizers.values()]
            rates = [keras.ops.cast(keras.ops.convert_to_tensor(r), "float32") for r in rates]
            return tf.stack([*rates, *(scaler.scale for scaler in scalers.values())])  # (values,)

        # A schedule that was replaced since then needs another graph.
        sources = tuple(id(learning_rate_of(o.optimizer)) for o in optimizers.values())
        if self._read is None or sources != self._traced_for:
            self._read = tf.function(read, autograph=False).get_concrete_function()
            self._traced_for = sources

        names = [_prefixed(name, "learning_rate") for name in optimizers]
        names += [_prefixed(name, "loss_scale") for name in scalers]
        return dict(zip(names, self._read().numpy().tolist(), strict=True))


def _prefixed(optimizer: str, name: str) -> str:
    return f"{optimizer}_{name}" if optimizer else name
