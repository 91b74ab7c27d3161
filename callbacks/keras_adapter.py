"""KerasAdapter: lets a keras.callbacks.Callback watch a run of the Trainer."""

import logging
from typing import Any

import keras

from lightning_tf.callback import Callback
from lightning_tf.callbacks.common.metrics_since import metrics_since
from lightning_tf.exceptions import ConfigurationError, nearest
from lightning_tf.stage import TEST, VALIDATE, Stage, split_metric
from lightning_tf.task import Task
from lightning_tf.trainer import Trainer
from lightning_tf.variables import components

log = logging.getLogger("lightning_tf")

# Our batch hooks, and the hooks of Keras that need them. Overriding ours makes windows one batch
# long, so the adapter does it only where the Keras callback overrides its own.
BATCH_HOOKS = {
    "on_train_batch_start": ("on_train_batch_begin", "on_batch_begin"),
    "on_train_batch_end": ("on_train_batch_end", "on_batch_end"),
    "on_validation_batch_start": ("on_test_batch_begin",),
    "on_validation_batch_end": ("on_test_batch_end",),
    "on_test_batch_start": ("on_test_batch_begin",),
    "on_test_batch_end": ("on_test_batch_end",),
}
# Keras warns after each epoch that a monitor is not there, and goes on.
MONITORS = (keras.callbacks.EarlyStopping, keras.callbacks.ReduceLROnPlateau)
# What they remember is made anew at every epoch, or of no effect.
WITHOUT_STATE = (
    keras.callbacks.CSVLogger,
    keras.callbacks.History,
    keras.callbacks.LambdaCallback,
    keras.callbacks.LearningRateScheduler,
    keras.callbacks.ProgbarLogger,
    keras.callbacks.RemoteMonitor,
    keras.callbacks.TerminateOnNaN,
)
REFUSED = {
    "BackupAndRestore": "it restores model.fit's own state; use ModelCheckpoint(save_last=True) "
    "and Trainer.fit(task, ckpt_path=...)",
    "TensorBoard": "it reads model.fit's own functions; use a Logger, and "
    "Trainer(profiler='trace') for traces",
}


class KerasAdapter(Callback):
    """Translates hooks, names and stop requests.

    The Keras callback sees the task's model (`task.model`, or the first Keras model among its
    attributes) with the optimizer that trains it as `model.optimizer`, and the logs of the epoch
    under Keras' names. ``model.stop_training = True`` becomes a stop request. A callback that
    overrides a per-batch hook makes windows one batch long, and gets the values of that batch.

    Keras callbacks have no state that a checkpoint could hold: after a resume they start anew.

    Args:
        callback: The Keras callback.

    Raises:
        ConfigurationError: The callback works only inside model.fit; or, when a run begins, the
            task has no Keras model.

    Example:
        >>> Trainer(max_epochs=9, callbacks=[keras.callbacks.ReduceLROnPlateau()]).fit(task)
    """

    logs_metrics = False

    def __init__(self, callback: keras.callbacks.Callback) -> None:
        for name, reason in REFUSED.items():
            if isinstance(callback, getattr(keras.callbacks, name)):
                raise ConfigurationError(
                    f"keras.callbacks.{name} cannot watch a Trainer: {reason}."
                )
        if getattr(callback, "swap_on_epoch", False):
            raise ConfigurationError(
                "SwapEMAWeights(swap_on_epoch=True) leaves averages in the model while checkpoints "
                "are written, and a run resumed from one would go on from them; leave it False."
            )

        self.callback = callback
        self.tolerates_nonfinite_loss = isinstance(callback, keras.callbacks.TerminateOnNaN)

        self._model: Any = None
        self._attributes_before: dict[str, Any] = {}
        self._epoch_start_step = 0

        # Set on the object, so that the loop sees only hooks that somebody needs.
        for ours, theirs in BATCH_HOOKS.items():
            if any(_is_overridden(callback, hook) for hook in theirs):
                setattr(self, ours, self._batch_start if "start" in ours else self._batch_end)

    @property
    def state_key(self) -> str:
        """Return the name of the Keras callback's class."""
        return f"Keras.{type(self.callback).__qualname__}"

    def on_fit_start(self, trainer: Trainer, task: Task) -> None:
        """Say where a resumed run has lost what the callback remembered."""
        if trainer.resumed and not isinstance(self.callback, WITHOUT_STATE):
            log.warning(
                "keras.callbacks.%s begins anew: a checkpoint holds nothing of Keras' callbacks. "
                "lightning_tf.callbacks has EarlyStopping, ReduceLROnPlateau, ModelCheckpoint and "
                "EMA, which go on.",
                type(self.callback).__name__,
            )

    # ---- the model

    def _enter(self, trainer: Trainer, task: Task) -> None:
        """Give the callback its model, with an optimizer as in model.fit; once a run."""
        if self._model is not None:
            return

        name, self._model = _model_of(task)
        attributes = vars(self._model)  # not setattr: Keras would track what is set here
        before = {key: attributes.get(key) for key in ("optimizer", "stop_training")}

        optimizers = trainer.optimizers
        optimizer = optimizers.get(name) or optimizers.get("")
        if optimizer is not None and attributes.get("optimizer") is not optimizer:
            attributes["optimizer"] = optimizer
        else:
            del before["optimizer"]  # another adapter has set it, and removes it
        self._attributes_before = before

        if attributes.get("optimizer") is None and isinstance(
            self.callback, keras.callbacks.SwapEMAWeights
        ):
            raise ConfigurationError(
                "SwapEMAWeights needs the optimizer that trains the model: call fit first."
            )

        attributes["stop_training"] = False
        if getattr(self.callback, "mode", "") == "auto":
            # Keras would ask a compiled model, which this one need not be.
            self.callback.mode = _mode_of(task, self.callback.monitor)
        self.callback.set_params(
            {"verbose": 0, "epochs": trainer.max_epochs, "steps": trainer.num_training_batches}
        )
        self.callback.set_model(self._model)

    def _leave(self) -> None:
        for name, value in self._attributes_before.items():
            if value is None:
                # There was none: as if it had never been set.
                vars(self._model).pop(name, None)
            else:
                vars(self._model)[name] = value
        self._model, self._attributes_before = None, {}

    def teardown(self, trainer: Trainer, task: Task, stage: str) -> None:
        """Restore the model's attributes."""
        self._leave()

    def on_exception(self, trainer: Trainer, task: Task, exception: BaseException) -> None:
        """Restore the model's attributes."""
        self._leave()

    def _forward_stop(self, trainer: Trainer) -> None:
        if self._model.stop_training:
            self._model.stop_training = False  # the callback asks again if it was too early
            trainer.request_stop(f"{type(self.callback).__name__} of Keras asked for it")

    # ---- training

    def on_train_start(self, trainer: Trainer, task: Task) -> None:
        """Call Keras' on_train_begin; refuse a monitor that nothing can measure."""
        names, complete = trainer.metric_names()
        monitor = getattr(self.callback, "monitor", None)
        if complete and isinstance(self.callback, MONITORS) and monitor not in names:
            raise ConfigurationError(
                f"keras.callbacks.{type(self.callback).__name__}(monitor={monitor!r}): nothing "
                f"logs it.{nearest(monitor, names)}"
            )
        self._enter(trainer, task)
        self.callback.on_train_begin({})

    def on_train_end(self, trainer: Trainer, task: Task) -> None:
        """Call Keras' on_train_end."""
        self.callback.on_train_end(metrics_since(trainer, self._epoch_start_step))

    def on_train_epoch_start(self, trainer: Trainer, task: Task) -> None:
        """Call Keras' on_epoch_begin."""
        self._epoch_start_step = trainer.global_step
        self.callback.on_epoch_begin(trainer.current_epoch, {})

    def on_train_epoch_end(self, trainer: Trainer, task: Task) -> None:
        """Call Keras' on_epoch_end."""
        # Only what this epoch measured: an older validation is none of it.
        logs = metrics_since(trainer, self._epoch_start_step)
        self.callback.on_epoch_end(trainer.current_epoch, logs)
        self._forward_stop(trainer)

    # ---- evaluation

    def on_validation_start(self, trainer: Trainer, task: Task) -> None:
        """Call Keras' on_test_begin; Keras has no sanity check."""
        if not trainer.sanity_checking:
            self._enter(trainer, task)
            self.callback.on_test_begin({})

    def on_validation_end(self, trainer: Trainer, task: Task) -> None:
        """Call Keras' on_test_end, with names as in evaluate: without ``val_``."""
        if not trainer.sanity_checking:
            self.callback.on_test_end(_values_of(trainer, VALIDATE))

    def on_test_start(self, trainer: Trainer, task: Task) -> None:
        """Call Keras' on_test_begin."""
        self._enter(trainer, task)
        self.callback.on_test_begin({})

    def on_test_end(self, trainer: Trainer, task: Task) -> None:
        """Call Keras' on_test_end, with names as in evaluate: without ``test_``."""
        self.callback.on_test_end(_values_of(trainer, TEST))

    # ---- prediction

    def on_predict_start(self, trainer: Trainer, task: Task) -> None:
        """Call Keras' on_predict_begin."""
        self._enter(trainer, task)
        self.callback.on_predict_begin({})

    def on_predict_batch_start(self, trainer: Trainer, task: Task, batch_idx: int) -> None:
        """Call Keras' on_predict_batch_begin."""
        self.callback.on_predict_batch_begin(batch_idx, {})

    def on_predict_batch_end(
        self, trainer: Trainer, task: Task, outputs: Any, batch_idx: int
    ) -> None:
        """Call Keras' on_predict_batch_end."""
        self.callback.on_predict_batch_end(batch_idx, {"outputs": outputs})

    def on_predict_end(self, trainer: Trainer, task: Task) -> None:
        """Call Keras' on_predict_end."""
        self.callback.on_predict_end({})

    # ---- batches

    def _batch_start(self, trainer: Trainer, task: Task, batch_idx: int) -> None:
        if trainer.stage == "train":
            self.callback.on_train_batch_begin(batch_idx, {})
        elif not trainer.sanity_checking:
            self.callback.on_test_batch_begin(batch_idx, {})

    def _batch_end(
        self, trainer: Trainer, task: Task, outputs: dict[str, float], batch_idx: int
    ) -> None:
        if trainer.stage == "train":
            self.callback.on_train_batch_end(batch_idx, dict(outputs))
            self._forward_stop(trainer)
        elif not trainer.sanity_checking:
            self.callback.on_test_batch_end(batch_idx, dict(outputs))


def _is_overridden(callback: keras.callbacks.Callback, hook: str) -> bool:
    """Return whether a callback overrides a hook, in its class or, as LambdaCallback, itself."""
    if isinstance(callback, keras.callbacks.ModelCheckpoint) and callback.save_freq == "epoch":
        return False  # its batch hook does nothing then
    base = getattr(keras.callbacks.Callback, hook)
    return hook in vars(callback) or getattr(type(callback), hook) is not base


def _model_of(task: Task) -> tuple[str, Any]:
    """Return the name and the object of the task's main model."""
    models = [(name, part) for name, part in components(task) if isinstance(part, keras.Model)]
    if not models:
        raise ConfigurationError(
            f"a Keras callback needs a keras.Model; {type(task).__name__} has none as an attribute."
        )
    return next((pair for pair in models if pair[0] == "model"), models[0])


def _mode_of(task: Task, monitor: str) -> str:
    """Return what ``mode="auto"`` means for a metric of the task; Keras asks its compiled model."""
    name = split_metric(monitor)[1]
    if name.endswith("loss"):
        return "min"
    directions = {"up": "max", "down": "min"}
    return directions.get(getattr(task.metrics.get(name), "_direction", None) or "", "auto")


def _values_of(trainer: Trainer, stage: Stage) -> dict[str, float]:
    pairs = ((split_metric(name), value) for name, value in trainer.callback_metrics.items())
    return {name: value for (of, name), value in pairs if of is stage}
