"""OptunaPruning: ends a trial of Optuna early where other trials were better at the same age."""

from typing import Any

from lightning_tf.callbacks.common.monitor_callback import MonitorCallback
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.trainer import Trainer


def optuna_package(user: str) -> Any:
    """Return optuna.

    Args:
        user: What needs it.

    Raises:
        ConfigurationError: It is not installed.
    """
    try:
        import optuna
    except ImportError as error:
        raise ConfigurationError(
            f"{user} needs optuna: pip install 'lightning-tf[tune]'"
        ) from error
    return optuna


class OptunaPruning(MonitorCallback):
    """Reports a metric to an Optuna trial and asks for a stop where Optuna's pruner wants one.

    With `optuna.pruners.HyperbandPruner` (Li et al., 2018, https://arxiv.org/abs/1603.06560) or
    `SuccessiveHalvingPruner` (asynchronous, ASHA: Li et al., 2020,
    https://arxiv.org/abs/1810.05934), bad trials cost a few epochs instead of all of them. fit ends
    normally, with its checkpoints and logs; `check_pruned` then raises Optuna's exception.

    The newest measurement at the end of an epoch counts. Needs ``lightning-tf[tune]``.

    Args:
        trial: The `optuna.Trial`.
        monitor: A metric such as ``val_accuracy``; the study's direction says which way is good.

    Raises:
        ConfigurationError: Nothing logs the metric, or Optuna is not installed.

    Example:
        >>> def objective(trial):
        ...     rate = trial.suggest_float("learning_rate", 1e-4, 1e-1, log=True)
        ...     task = ImageClassification("digits", learning_rate=rate)
        ...     pruning = OptunaPruning(trial, "val_accuracy")
        ...     trainer = Trainer(max_epochs=9, callbacks=[pruning])
        ...     trainer.fit(task)
        ...     pruning.check_pruned()
        ...     return trainer.callback_metrics["val_accuracy"]
        >>> study = optuna.create_study(
        ...     direction="maximize", pruner=optuna.pruners.HyperbandPruner()
        ... )
        >>> study.optimize(objective, n_trials=20)
    """

    def __init__(self, trial: Any, monitor: str = "val_loss") -> None:
        optuna = optuna_package("OptunaPruning")
        # Once an epoch: Optuna keeps the first value of a step, and an epoch may have several.
        super().__init__(monitor, check_on_train_epoch_end=True)
        self._pruned = optuna.TrialPruned
        self.trial, self.is_pruned = trial, False

    def check_pruned(self) -> None:
        """Raise `optuna.TrialPruned` where fit was ended early; call it after fit."""
        if self.is_pruned:
            raise self._pruned(f"{self.monitor} fell behind")

    def _check(self, trainer: Trainer) -> None:
        value = self._read_new(trainer)
        if value is None:
            return

        self.trial.report(value, trainer.current_epoch + 1)  # epochs that it has cost
        # Every worker must stop, but only the chief's trial knows the others.
        self.is_pruned = trainer.workers.broadcast(self.trial.should_prune())
        if self.is_pruned:
            trainer.request_stop(f"Optuna prunes at {self.monitor} = {value:g}")
