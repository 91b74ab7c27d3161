"""KerasAdapter: lets a keras.callbacks.Callback watch a run of the Trainer."""

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import keras

from lightning_tf.callback import Callback
from lightning_tf.callbacks.common.keras_attributes import (
    KerasAttributes,
    main_model,
    values_so_far,
)
from lightning_tf.callbacks.common.keras_stop import KerasStop
from lightning_tf.callbacks.common.metrics_since import metrics_since
from lightning_tf.exceptions import ConfigurationError, nearest
from lightning_tf.hook_checks import check_keras_hooks
from lightning_tf.hooks import overrides
from lightning_tf.stage import TEST, TRAIN, VALIDATE, Stage, split_metric, stage_of_name
from lightning_tf.task import Task
from lightning_tf.trainer import Trainer

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
    attributes) with the optimizer that trains it as `model.optimizer`, and logs under Keras' names:
    one dict for all Keras callbacks of a hook, so that each sees what those before it have put
    there. Logs of a batch are the running means and metrics of the epoch, as in fit.
    ``model.stop_training = True`` becomes a stop request, from whichever hook it is set; one that
    waits for `min_epochs` is taken back by False from the same callback, or a new verdict of
    EarlyStopping;
    ``stop_evaluating`` and ``stop_predicting`` end an evaluation and a prediction.
    ``model.get_metrics_result()`` gives the values of the stage that runs. A callback that
    overrides a per-batch hook makes windows one batch long.

    Keras callbacks have no state that a checkpoint could hold: after a resume they start anew.

    Args:
        callback: The Keras callback.

    Raises:
        ConfigurationError: The callback works only inside model.fit, or has a hook that Keras does
            not call; or, when a run begins, the task has no Keras model.

    Example:
        >>> Trainer(max_epochs=9, callbacks=[keras.callbacks.ReduceLROnPlateau()]).fit(task)
    """

    logs_metrics = False
    reads_batches = False

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
        check_keras_hooks(callback)

        self.callback = callback
        self.tolerates_nonfinite_loss = isinstance(callback, keras.callbacks.TerminateOnNaN)

        self._model: Any = None
        self._logs: dict[str, dict[str, Any]] = {}  # by hook, where this adapter is the first
        self._stop = KerasStop(callback)
        self._attributes: KerasAttributes | None = None
        self._epoch_start_step = 0

        # Set on the object, so that the loop sees only hooks that somebody needs.
        for ours, theirs in BATCH_HOOKS.items():
            if any(_is_overridden(callback, hook) for hook in theirs):
                end = self._train_batch_end if "train" in ours else self._batch_end
                setattr(self, ours, self._batch_start if "start" in ours else end)

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
        """Give the callback its model, with what fit sets there; once a run."""
        if self._model is not None:
            return

        name, self._model = main_model(task)
        if _first(trainer) is self:
            self._attributes = KerasAttributes(trainer, name, self._model)

        if vars(self._model).get("optimizer") is None and isinstance(
            self.callback, keras.callbacks.SwapEMAWeights
        ):
            raise ConfigurationError(
                "SwapEMAWeights needs the optimizer that trains the model: call fit first."
            )
        if isinstance(self.callback, keras.callbacks.History):
            vars(self._model)["history"] = self.callback

        if getattr(self.callback, "mode", "") == "auto":
            # Keras would ask a compiled model, which this one need not be.
            self.callback.mode = _mode_of(task, self.callback.monitor)
        fits = trainer.entry_point == "fit"
        steps = trainer.num_training_batches if fits else _num_batches(trainer)
        epochs = trainer.max_epochs if fits else 1
        self.callback.set_params({"verbose": 0, "epochs": epochs, "steps": steps})
        self.callback.set_model(self._model)

    def _leave(self) -> None:
        if self._attributes is not None:
            self._attributes.restore()
        self._model, self._attributes = None, None

    def teardown(self, trainer: Trainer, task: Task, stage: str) -> None:
        """Restore the model's attributes."""
        self._leave()

    def on_exception(self, trainer: Trainer, task: Task, exception: BaseException) -> None:
        """Restore the model's attributes."""
        self._leave()

    def _shared_logs(
        self, trainer: Trainer, hook: str, values: Callable[[], dict[str, Any]]
    ) -> dict[str, Any]:
        """Return the logs of a hook: made for the first Keras callback, handed on to the others."""
        first = _first(trainer, hook)
        if first is self:
            self._logs[hook] = dict(values())
        return first._logs[hook]

    # ---- stops

    def _call(self, trainer: Trainer, hook: str, *args: Any) -> None:
        """Call a hook of the Keras callback; in a fit, note whether it asks for a stop."""
        call = getattr(self.callback, hook)
        if trainer.entry_point != "fit":
            call(*args)
            return

        others = [adapter._stop for adapter in _adapters(trainer) if adapter is not self]
        with self._stop.watching(trainer, self._model, others, hook == "on_epoch_end"):
            call(*args)

    def next_step(self, trainer: Trainer) -> int | None:
        """End the window after one update where a hook before it has asked for a stop."""
        asked = self._model is not None and self._model.stop_training
        return trainer.global_step + 1 if asked and self._stop.waits(trainer) else None

    def on_train_window_end(self, trainer: Trainer, task: Task) -> None:
        """Forward a stop request that was made before or in the batch, as fit does after it."""
        self._forward_stop(trainer)
        nobody = not any(adapter._stop.wanted for adapter in _adapters(trainer))
        if self._model.stop_training and nobody and _first(trainer) is self:
            trainer.request_stop("model.stop_training was set outside of Keras' callbacks")

    def _forward_stop(self, trainer: Trainer) -> None:
        if self._model.stop_training:
            self._stop.forward(trainer)

    def _forward_end(self, trainer: Trainer) -> None:
        if self._model.stop_evaluating or self._model.stop_predicting:
            trainer.status.end_stage()

    # ---- training

    def on_train_start(self, trainer: Trainer, task: Task) -> None:
        """Call Keras' on_train_begin; refuse a monitor that nothing can measure."""
        names, complete = trainer.metric_names()
        monitor = getattr(self.callback, "monitor", None)
        known = complete and not _others_log(trainer)
        if known and isinstance(self.callback, MONITORS) and monitor not in names:
            raise ConfigurationError(
                f"keras.callbacks.{type(self.callback).__name__}(monitor={monitor!r}): nothing "
                f"logs it.{nearest(monitor, names)}"
            )
        self._enter(trainer, task)
        self._call(trainer, "on_train_begin", {})

    def on_train_end(self, trainer: Trainer, task: Task) -> None:
        """Call Keras' on_train_end with the logs of the last epoch."""
        logs = self._shared_logs(trainer, "on_train_end", lambda: self._epoch_logs(trainer))
        self.callback.on_train_end(logs)

    def on_train_epoch_start(self, trainer: Trainer, task: Task) -> None:
        """Call Keras' on_epoch_begin, where the epoch begins: Keras knows no resumed one."""
        self._epoch_start_step = trainer.progress.epoch_start_step
        unknown = any(adapter._stop.waits(trainer) for adapter in _adapters(trainer))
        if _first(trainer) is self and trainer.stop_reason and not unknown:
            self._model.stop_training = False  # the request waits, or it would not have come here
        if not trainer.resumed_in_epoch:
            self._call(trainer, "on_epoch_begin", trainer.current_epoch, {})

    def on_train_epoch_end(self, trainer: Trainer, task: Task) -> None:
        """Call Keras' on_epoch_end."""
        logs = self._shared_logs(trainer, "on_train_epoch_end", lambda: self._epoch_logs(trainer))
        self._call(trainer, "on_epoch_end", trainer.current_epoch, logs)
        self._forward_stop(trainer)

    def _epoch_logs(self, trainer: Trainer) -> dict[str, Any]:
        # Only what this epoch measured: an older validation is none of it.
        return dict(metrics_since(trainer, self._epoch_start_step))

    # ---- evaluation

    def on_validation_start(self, trainer: Trainer, task: Task) -> None:
        """Call Keras' on_test_begin; Keras has no sanity check."""
        if not trainer.sanity_checking:
            self.on_test_start(trainer, task)

    def on_validation_window_end(self, trainer: Trainer, task: Task, batches: int) -> None:
        """End the validation where a callback has set model.stop_evaluating."""
        if not trainer.sanity_checking:
            self._forward_end(trainer)

    def on_validation_end(self, trainer: Trainer, task: Task) -> None:
        """Call Keras' on_test_end, with names as in evaluate: without ``val_``."""
        if trainer.sanity_checking:
            return
        values = partial(_values_of, trainer, VALIDATE)
        logs = self._shared_logs(trainer, "on_validation_end", values)
        self._call(trainer, "on_test_end", logs)
        if trainer.entry_point == "fit":
            self._forward_stop(trainer)

    def on_test_start(self, trainer: Trainer, task: Task) -> None:
        """Call Keras' on_test_begin."""
        self._enter(trainer, task)
        if _first(trainer) is self:
            self._model.stop_evaluating = False
        self._call(trainer, "on_test_begin", {})
        self._forward_end(trainer)

    def on_test_window_end(self, trainer: Trainer, task: Task, batches: int) -> None:
        """End the test where a callback has set model.stop_evaluating."""
        self._forward_end(trainer)

    def on_test_end(self, trainer: Trainer, task: Task) -> None:
        """Call Keras' on_test_end, with names as in evaluate: without ``test_``."""
        values = partial(_values_of, trainer, TEST)
        self.callback.on_test_end(self._shared_logs(trainer, "on_test_end", values))

    # ---- prediction

    def on_predict_start(self, trainer: Trainer, task: Task) -> None:
        """Call Keras' on_predict_begin."""
        self._enter(trainer, task)
        if _first(trainer) is self:
            self._model.stop_predicting = False
        self.callback.on_predict_begin({})
        self._forward_end(trainer)

    def on_predict_batch_start(self, trainer: Trainer, task: Task, batch_idx: int) -> None:
        """Call Keras' on_predict_batch_begin."""
        self.callback.on_predict_batch_begin(batch_idx, {})
        self._forward_end(trainer)

    def on_predict_batch_end(
        self, trainer: Trainer, task: Task, outputs: Any, batch_idx: int
    ) -> None:
        """Call Keras' on_predict_batch_end."""
        logs = self._shared_logs(trainer, "on_predict_batch_end", lambda: {"outputs": outputs})
        self.callback.on_predict_batch_end(batch_idx, logs)
        self._forward_end(trainer)

    def on_predict_end(self, trainer: Trainer, task: Task) -> None:
        """Call Keras' on_predict_end."""
        self.callback.on_predict_end({})

    # ---- batches

    def _batch_start(self, trainer: Trainer, task: Task, batch_idx: int) -> None:
        if trainer.stage == "train":
            self._call(trainer, "on_train_batch_begin", batch_idx, {})
        elif not trainer.sanity_checking:
            self._call(trainer, "on_test_batch_begin", batch_idx, {})
            self._forward_end(trainer)

    def _train_batch_end(
        self, trainer: Trainer, task: Task, outputs: dict[str, float], batch_idx: int
    ) -> None:
        self._batch_end(trainer, task, outputs, None, batch_idx)

    def _batch_end(
        self, trainer: Trainer, task: Task, outputs: dict[str, Any], batch: Any, batch_idx: int
    ) -> None:
        if trainer.sanity_checking:
            return
        stage = stage_of_name(trainer.stage)
        # Means and metrics over the batches so far, which wait for the device.
        logs = self._shared_logs(
            trainer, f"on_{stage.hook}_batch_end", lambda: values_so_far(trainer)
        )
        if stage is TRAIN:
            self._call(trainer, "on_train_batch_end", batch_idx, logs)
            self._forward_stop(trainer)
        else:
            self._call(trainer, "on_test_batch_end", batch_idx, logs)
            self._forward_end(trainer)


def _first(trainer: Trainer, hook: str = "on_train_start") -> KerasAdapter:
    """Return the first adapter that a hook calls: it does for all what is done once."""
    return next(adapter for adapter in _adapters(trainer) if overrides(adapter, hook))


def _adapters(trainer: Trainer) -> list[KerasAdapter]:
    return [callback for callback in trainer.callbacks if isinstance(callback, KerasAdapter)]


def _others_log(trainer: Trainer) -> bool:
    """Return whether a Keras callback may put a name of its own into the logs of an epoch."""
    callbacks = [adapter.callback for adapter in _adapters(trainer)]
    return any(
        _is_overridden(callback, "on_epoch_end")
        for callback in callbacks
        if not type(callback).__module__.startswith("keras.")
        or isinstance(callback, (keras.callbacks.LambdaCallback, keras.callbacks.CallbackList))
    )


def _num_batches(trainer: Trainer) -> int | None:
    return next(iter(trainer.status.num_batches.values()), None)


def _is_overridden(callback: keras.callbacks.Callback, hook: str) -> bool:
    """Return whether a callback overrides a hook, in its class or, as LambdaCallback, itself."""
    if isinstance(callback, keras.callbacks.ModelCheckpoint) and callback.save_freq == "epoch":
        return False  # its batch hook does nothing then
    base = getattr(keras.callbacks.Callback, hook)
    return hook in vars(callback) or getattr(type(callback), hook) is not base


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
