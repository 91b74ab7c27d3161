"""HyperparameterSearch: trains a task again and again with other values, and tells the best."""

import gc
import json
import logging
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras

from lightning_tf.callbacks import OptunaPruning
from lightning_tf.checks import checked_choice, checked_integer, checked_path, why_unwritable
from lightning_tf.exceptions import ConfigurationError, DataError, nearest
from lightning_tf.task import Task
from lightning_tf.trainer import Trainer
from lightning_tf.tuning.search_result import (
    COMPLETE,
    FAILED,
    PRUNED,
    RUNNING,
    TABLE,
    SearchResult,
    Trial,
)
from lightning_tf.tuning.search_space import search_space

log = logging.getLogger("lightning_tf")

METHODS = ("grid", "random", "tpe", "hyperband")
MODES = ("min", "max")
STUDY = "lightning_tf"
LEAST_EPOCHS = 3  # of Hyperband, whose first look comes after one epoch and the next after three
SAME_ERRORS = 2  # at the beginning: what no other values will cure

STATES = {
    "COMPLETE": COMPLETE,
    "PRUNED": PRUNED,
    "FAIL": FAILED,
    "RUNNING": RUNNING,
    "WAITING": RUNNING,
}

Make = Callable[[dict[str, Any], str], tuple[Trainer, Task]]


class HyperparameterSearch:
    """Trains a task once for each set of values, and tells which was best.

    Each trial is an ordinary fit in this process, in a folder of its own. A trial that fails is
    told and counted, and the next begins. After each trial ``trials.csv`` is written, at the end,
    Ctrl-C included, ``parallel_coordinates.png`` too.

    Needs ``lightning-tf[tune]``.

    Args:
        search: What to try, by name: ``"0.0001..0.1 log"``, ``"1..6"``, ``"0.0..0.5 3 points"``, a
            list of choices, or ``"mlp,convnet"``. Bounds that are both written as integers draw
            integers; ``points`` are those of a grid.
        monitor: The metric of validation, or of training, that tells which trial is better; the
            newest measurement of each trial counts.
        mode: ``max`` or ``min``: which way is better.
        method: ``grid`` takes all combinations; ``random`` draws (Bergstra and Bengio, 2012,
            https://www.jmlr.org/papers/v13/bergstra12a.html); ``tpe`` draws where earlier trials
            were good (Bergstra et al., 2011); ``hyperband`` draws and ends trials early that fall
            behind (Li et al., 2018, https://arxiv.org/abs/1603.06560).
        seed: Of the draws.
        storage: Such as ``sqlite:///study.db``: where the trials are kept, so that another call,
            or another process at the same time, goes on with the search.
        output: The folder of table, image and runs; ``tune_0``, ``tune_1``, ... by default.

    Raises:
        ConfigurationError: Optuna is not installed, or an argument cannot work.

    Example:
        >>> def make(values, folder):
        ...     trainer = Trainer(max_epochs=9, seed=0, default_root_dir=folder)
        ...     return trainer, ImageClassification("digits", **values)
        >>> search = HyperparameterSearch(
        ...     {"learning_rate": "0.0001..0.1 log", "network": ["mlp", "convnet"]},
        ...     monitor="val_accuracy",
        ...     mode="max",
        ...     method="hyperband",
        ... )
        >>> print(search.run(make, trials=20))
    """

    def __init__(
        self,
        search: Mapping[str, Any],
        monitor: str = "val_loss",
        mode: str = "min",
        method: str = "tpe",
        seed: int = 0,
        storage: str | None = None,
        output: str | None = None,
    ) -> None:
        _optuna()
        self.space = search_space(search)
        self.monitor = monitor
        self.mode = checked_choice("mode", mode, MODES)
        self.method = checked_choice("method", method, METHODS)
        self.seed, self.storage = seed, storage
        self._grid = {n: v.grid(n) for n, v in self.space.items()} if method == "grid" else None
        self.folder = _folder(output, storage)
        self._running: int | None = None  # the number of the trial
        self._errors: list[str] = []  # of this call's trials; empty of one that did not fail
        self._prunes = False

    @property
    def grid_size(self) -> int | None:
        """How many combinations a grid has; None of other methods."""
        return None if self._grid is None else math.prod(map(len, self._grid.values()))

    def run(self, make: Make, trials: int | None = None) -> SearchResult:
        """Run trials, and return those that there are, earlier ones of the storage included.

        Args:
            make: Gives a new Trainer and a new task of (values by name, the trial's folder).
            trials: How many in this call; None is all of a grid.

        Raises:
            ConfigurationError: Nothing logs the monitor, the storage holds another search, or the
                first trials all end with the same error.
        """
        count = self.grid_size if trials is None else trials
        if count is None:
            raise ConfigurationError(f"method={self.method!r} needs trials: how many to run.")
        checked_integer("trials", count, least=1)
        study = self._study()
        self.folder.mkdir(parents=True, exist_ok=True)

        optuna = _optuna()
        try:
            with _quiet(optuna):
                study.optimize(
                    lambda trial: self._try(study, trial, make),
                    n_trials=count,
                    catch=(_TrialFailed,),
                    callbacks=[lambda study, trial: self._report(study, trial.number)],
                )
        except BaseException:
            self._abandon(study)
            raise
        finally:
            result = self._result(study)
            if result.trials:
                result.save()
        return result

    # ---- one trial

    def _try(self, study: Any, trial: Any, make: Make) -> float:
        """Run one trial, and return its value."""
        folder = str(self.folder / f"trial_{trial.number}")
        trial.set_user_attr("folder", folder)
        drawn = {name: each.suggest(trial, name) for name, each in self.space.items()}
        values = {name: self.space[name].value(each) for name, each in drawn.items()}

        self._running = trial.number
        try:
            return self._fit(study, trial, make, values, folder)
        except (_optuna().TrialPruned, _SearchError):
            raise
        except Exception as error:
            self._refuse_repeated(error)
            reason = f"{type(error).__name__}: {error}"
            trial.set_user_attr("reason", reason)
            raise _TrialFailed(reason) from error
        finally:
            # Names of layers begin anew, and what the trial held is free before the next.
            keras.utils.clear_session()
            gc.collect()

    def _fit(
        self, study: Any, trial: Any, make: Make, values: dict[str, Any], folder: str
    ) -> float:
        trainer, task = make(values, folder)
        if trainer.workers.count > 1:
            raise _SearchError("a search runs in one process: start it without other workers.")
        if self.method == "hyperband" and not self._prunes:
            study.pruner, self._prunes = _hyperband(trainer), True
        pruning = _Pruning(trial, self.monitor)
        trainer.add_callback(pruning)

        with _only_warnings():  # the search tells each trial in one line
            trainer.fit(task)
        trial.set_user_attr("epochs", trainer.current_epoch)
        value: float = trainer.callback_metrics[self.monitor]
        if not math.isfinite(value):
            raise ArithmeticError(f"{self.monitor} is {value}")
        self._errors.append("")
        if trainer.max_epochs is None or trainer.current_epoch < trainer.max_epochs:
            pruning.check_pruned()  # what the last epoch ended anyway is whole
        return value

    def _refuse_repeated(self, error: Exception) -> None:
        """End the search where its first trials all end with the same wrong option or data.

        Raises:
            ConfigurationError: They do.
        """
        self._errors.append(str(error))
        is_of_user = isinstance(error, (ConfigurationError, DataError))
        if is_of_user and self._errors == [str(error)] * SAME_ERRORS:
            raise _SearchError(f"every trial ends so: {error}") from error

    def _report(self, study: Any, number: int) -> None:
        """Tell how a trial ended, and write the table."""
        trial = self._trial(study.trials[number])
        if trial.state == FAILED:
            log.warning("trial %d failed: %s (%s)", number, trial.reason, trial)
        else:
            epochs = f"{trial.epochs} epoch{'s' * (trial.epochs != 1)}"
            text = "trial %d: %s %.5g, %s after %s, %.0f s: %s"
            ended = (self.monitor, trial.value, trial.state, epochs, trial.seconds)
            log.info(text, number, *ended, trial)
        self._result(study).save_table()

    # ---- the study

    def _study(self) -> Any:
        optuna = _optuna()
        samplers = {
            "grid": lambda: optuna.samplers.GridSampler(self._grid, seed=self.seed),
            "random": lambda: optuna.samplers.RandomSampler(seed=self.seed),
            "tpe": lambda: optuna.samplers.TPESampler(seed=self.seed),
            "hyperband": lambda: optuna.samplers.RandomSampler(seed=self.seed),
        }
        with _quiet(optuna):
            try:
                study = optuna.create_study(
                    study_name=STUDY,
                    direction="maximize" if self.mode == "max" else "minimize",
                    sampler=samplers[self.method](),
                    pruner=optuna.pruners.NopPruner(),
                    storage=self.storage,
                    load_if_exists=True,
                )
            except Exception as error:  # of whatever database it is
                raise ConfigurationError(
                    f"storage={self.storage!r} cannot be used: {type(error).__name__}: {error}"
                ) from error

        what = {name: str(each) for name, each in self.space.items()}
        text = json.dumps({"search": what, "monitor": self.monitor, "mode": self.mode})
        stored = study.user_attrs.get("search", text)
        if stored != text:
            raise ConfigurationError(
                f"storage={self.storage!r} holds another search, {stored}; give another storage, "
                "or the same ranges, monitor and mode."
            )
        study.set_user_attr("search", text)
        if study.trials:
            # The same draws again would be the same trials.
            study.sampler.reseed_rng()
            log.info("the search goes on after %d trials", len(study.trials))
        return study

    def _abandon(self, study: Any) -> None:
        """Tell a trial that was interrupted; the combination of a grid is left to a later call."""
        if self._running is not None and self.method != "grid":
            trial = study.trials[self._running]
            if not trial.state.is_finished():
                study.tell(trial.number, state=_optuna().trial.TrialState.FAIL)

    def _result(self, study: Any) -> SearchResult:
        trials = [self._trial(each) for each in study.trials]
        return SearchResult(trials, self.space, self.monitor, self.mode, self.folder)

    def _trial(self, trial: Any) -> Trial:
        attrs, state = trial.user_attrs, STATES[trial.state.name]
        params = {name: each for name, each in trial.params.items() if name in self.space}
        values = {name: self.space[name].value(each) for name, each in params.items()}
        return Trial(
            number=trial.number,
            state=state,
            value=None if state == FAILED else trial.value,
            values=values,
            labels=params,
            epochs=attrs.get("epochs", max(trial.intermediate_values, default=0)),
            seconds=0.0 if trial.duration is None else trial.duration.total_seconds(),
            reason=attrs.get("reason", "interrupted") if state == FAILED else "",
            folder=attrs.get("folder", ""),
        )


class _SearchError(ConfigurationError):
    """Ends the search, not the trial alone."""


class _TrialFailed(Exception):
    """Ends a trial alone."""


class _Pruning(OptunaPruning):
    """Ends the search where nothing logs the monitor: no trial would."""

    def _missing(self, names: set[str]) -> None:
        raise _SearchError(
            f"monitor={self.monitor!r}: nothing logs it.{nearest(self.monitor, names)}"
        )


def _hyperband(trainer: Trainer) -> Any:
    """Return Optuna's pruner, which must know the epochs of a whole trial."""
    if trainer.max_epochs is None or trainer.max_epochs < LEAST_EPOCHS:
        raise _SearchError(
            f"method='hyperband' ends trials after 1, 3, 9, ... of max_epochs, which is "
            f"{trainer.max_epochs}; give at least {LEAST_EPOCHS}, or another method."
        )
    return _optuna().pruners.HyperbandPruner(max_resource=trainer.max_epochs)


def _optuna() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise ConfigurationError(
            "a search needs optuna: pip install 'lightning-tf[tune]'"
        ) from error
    return optuna


@contextmanager
def _quiet(optuna: Any) -> Iterator[None]:
    """Leave the telling of trials to this package."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(level)


@contextmanager
def _only_warnings() -> Iterator[None]:
    level = log.level
    log.setLevel(max(level, logging.WARNING))
    try:
        yield
    finally:
        log.setLevel(level)


def _folder(output: str | None, storage: str | None) -> Path:
    """Return the folder of a search.

    Raises:
        ConfigurationError: It holds another one.
    """
    if output is None:
        number = 0
        while Path(f"tune_{number}").exists():
            number += 1
        return Path(f"tune_{number}")
    folder = Path(checked_path("output", output))
    if storage is None and (folder / TABLE).exists():
        raise ConfigurationError(
            f"output={output!r} holds a search; give another folder, or a storage to go on with it."
        )
    reason = why_unwritable(str(folder))
    if reason:
        raise ConfigurationError(f"output={output!r}: {reason}")
    return folder
