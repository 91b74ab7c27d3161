"""KerasAdapter: lets a keras.callbacks.Callback watch a run of the Trainer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras

from lightning_tf.callback import Callback
from lightning_tf.exceptions import ConfigurationError

if TYPE_CHECKING:
    from lightning_tf.task import Task
    from lightning_tf.trainer import Trainer

BATCH_HOOKS = ("on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end")


def adapt(callback: keras.callbacks.Callback) -> KerasAdapter:
    """A callback of ours around one of Keras'.

    Args:
        callback: Any; one that overrides a per-batch hook makes every window one batch long.

    Raises:
        ConfigurationError: It is BackupAndRestore, which cannot restore a run of the Trainer.
    """
    if isinstance(callback, keras.callbacks.BackupAndRestore):
        raise ConfigurationError(
            "keras.callbacks.BackupAndRestore restores model.fit's own state; pass "
            "Trainer.fit(task, ckpt_path='last') and ModelCheckpoint(save_last=True) instead."
        )
    return BatchKerasAdapter(callback) if _watches_batches(callback) else KerasAdapter(callback)


def _watches_batches(callback: keras.callbacks.Callback) -> bool:
    if isinstance(callback, keras.callbacks.LambdaCallback):
        hooks = (callback.on_train_batch_begin, callback.on_train_batch_end)
        return any(getattr(hook, "__module__", None) != _LAMBDA_MODULE for hook in hooks)
    if isinstance(callback, keras.callbacks.ModelCheckpoint) and callback.save_freq == "epoch":
        return False  # its batch hook does nothing then
    base = keras.callbacks.Callback
    return any(getattr(type(callback), hook) is not getattr(base, hook) for hook in BATCH_HOOKS)


_LAMBDA_MODULE = keras.callbacks.LambdaCallback.__init__.__module__


class KerasAdapter(Callback):
    """Translates hooks, names and the wish to stop.

    The Keras callback sees the task's model (`task.model`, or its first Keras model), the logs
    under Keras' names, and while fit runs `model.optimizer`. ``model.stop_training = True`` becomes
    a stop request.

    Args:
        callback: The Keras callback.

    Example:
        >>> Trainer(max_epochs=9, callbacks=[keras.callbacks.ReduceLROnPlateau()]).fit(task)
    """

    logs_metrics = False

    def __init__(self, callback: keras.callbacks.Callback) -> None:
        self.callback = callback
        self._model: Any = None
        self._optimizer_before: Any = None

    @property
    def state_key(self) -> str:
        """Named after the Keras callback's class."""
        return f"Keras.{type(self.callback).__qualname__}"

    # ---- set-up

    def setup(self, trainer: Trainer, task: Task, stage: str) -> None:
        """Nothing yet: the model need not be there before it is configured."""

    def on_fit_start(self, trainer: Trainer, task: Task) -> None:
        """Show the callback its model, with an optimizer as model.fit would."""
        self._model = _model_of(task)
        ours = next(iter(trainer.optimizers.values()))
        before = vars(self._model).get("optimizer")
        # Another adapter may have shown the model our optimizer already.
        self._optimizer_before = None if before is ours else before
        if len(trainer.optimizers) == 1:
            self._model.optimizer = ours
        self._model.stop_training = False
        self.callback.set_params(
            {"verbose": 0, "epochs": trainer.max_epochs, "steps": trainer.num_training_batches}
        )
        self.callback.set_model(self._model)

    def on_fit_end(self, trainer: Trainer, task: Task) -> None:
        """Leave the model as it was."""
        self._leave()

    def on_exception(self, trainer: Trainer, task: Task, exception: BaseException) -> None:
        """Leave the model as it was."""
        self._leave()

    def _leave(self) -> None:
        if self._model is not None:
            vars(self._model).pop("optimizer", None)
            if self._optimizer_before is not None:
                self._model.optimizer = self._optimizer_before
        self._model = None

    def _ask(self, trainer: Trainer) -> None:
        if self._model is not None and self._model.stop_training:
            self._model.stop_training = False  # judged again where it comes too early
            trainer.request_stop(f"{type(self.callback).__name__} of Keras asked for it")

    # ---- training

    def on_train_start(self, trainer: Trainer, task: Task) -> None:
        """As Keras' on_train_begin."""
        self.callback.on_train_begin()

    def on_train_end(self, trainer: Trainer, task: Task) -> None:
        """As Keras' on_train_end."""
        self.callback.on_train_end(_logs(trainer))

    def on_train_epoch_start(self, trainer: Trainer, task: Task) -> None:
        """As Keras' on_epoch_begin."""
        self.callback.on_epoch_begin(trainer.current_epoch)

    def on_train_epoch_end(self, trainer: Trainer, task: Task) -> None:
        """As Keras' on_epoch_end, with every metric of the epoch."""
        self.callback.on_epoch_end(trainer.current_epoch, _logs(trainer))
        self._ask(trainer)

    # ---- evaluation and prediction: for a callback that has met a model

    def on_validation_start(self, trainer: Trainer, task: Task) -> None:
        """As Keras' on_test_begin, inside fit; a sanity check is nothing that Keras knows."""
        if self._model is not None and not trainer.sanity_checking:
            self.callback.on_test_begin()

    def on_validation_end(self, trainer: Trainer, task: Task) -> None:
        """As Keras' on_test_end."""
        if self._model is not None and not trainer.sanity_checking:
            self.callback.on_test_end(_logs(trainer))


class BatchKerasAdapter(KerasAdapter):
    """For Keras callbacks that watch every batch: windows of one batch."""

    def on_train_batch_start(self, trainer: Trainer, task: Task, batch_idx: int) -> None:
        """As Keras' on_train_batch_begin."""
        self.callback.on_train_batch_begin(batch_idx)

    def on_train_batch_end(
        self, trainer: Trainer, task: Task, outputs: dict[str, float], batch_idx: int
    ) -> None:
        """As Keras' on_train_batch_end, with the values of this batch alone."""
        self.callback.on_train_batch_end(batch_idx, dict(outputs))
        self._ask(trainer)


def _model_of(task: Task) -> Any:
    models = [value for value in vars(task).values() if isinstance(value, keras.Model)]
    model = getattr(task, "model", None)
    if isinstance(model, keras.Model):
        return model
    if not models:
        raise ConfigurationError(
            f"a Keras callback needs a keras.Model; {type(task).__name__} has none as an attribute."
        )
    return models[0]


def _logs(trainer: Trainer) -> dict[str, float]:
    return dict(trainer.callback_metrics)
