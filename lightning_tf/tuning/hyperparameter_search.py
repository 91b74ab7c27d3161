"""HyperparameterSearch: trains a task again and again with other values, and tells the best."""

import gc
import logging
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from lightning_tf.callbacks.optuna_pruning import OptunaPruning, optuna_package
from lightning_tf.checks import checked_choice, checked_integer
from lightning_tf.exceptions import ConfigurationError, nearest
from lightning_tf.screen import only_warnings
from lightning_tf.task import Task
from lightning_tf.trainer import Trainer
from lightning_tf.tuning.search_folder import checked_output, claim_folder, search_folder
from lightning_tf.tuning.search_result import (
    COMPLETE,
    FAILED,
    PRUNED,
    RUNNING,
    SearchResult,
    Trial,
)
from lightning_tf.tuning.search_space import search_space
from lightning_tf.tuning.study import (
    SearchError,
    open_study,
    quiet_optuna,
    set_hyperband,
)

log = logging.getLogger("lightning_tf")

METHODS = ("grid", "random", "tpe", "hyperband")
MODES = ("min", "max")
SAME_ERRORS = 2  # at the beginning: what no other values will cure
# Which other values may cure, however often they come.
OF_VALUES = (FloatingPointError, MemoryError, tf.errors.ResourceExhaustedError)

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
    Ctrl-C included, ``parallel_coordinates.png`` too. `run` may be called again, and goes on.

    Each trial ends with `keras.utils.clear_session()`: names of layers begin anew and
    `keras.config`, but for its dtype policy, is as at Keras' start.

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
            or another process at the same time, goes on with the search. Trials that follow those
            of another call draw without the seed.
        output: The folder of table, image and runs; ``tune_0``, ``tune_1``, ... by default.
        setup: What all trials have in common, as text: a storage that has another is refused.

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
        setup: str = "",
    ) -> None:
        optuna_package("a search")
        self.space = search_space(search)
        self.monitor = monitor
        self.mode = checked_choice("mode", mode, MODES)
        self.method = checked_choice("method", method, METHODS)
        self.seed, self.storage, self.setup = seed, storage, setup
        self._grid = {n: v.grid(n) for n, v in self.space.items()} if method == "grid" else None
        self._output = checked_output(output, storage)
        self.folder: Path  # from the first run on, as the study
        self._study: Any = None
        self._count = 0  # of trials here
        self._errors: list[str] = []  # of this call's trials; empty of one that did not fail

    @property
    def grid_size(self) -> int | None:
        """How many combinations a grid has; None of other methods."""
        return None if self._grid is None else math.prod(map(len, self._grid.values()))

    @property
    def has_failed(self) -> bool:
        """Whether trials ran in the newest call, and all of them failed."""
        return bool(self._errors) and all(self._errors)

    def run(self, make: Make, trials: int | None = None) -> SearchResult:
        """Run trials, and return those that there are, earlier ones of the storage included.

        Args:
            make: Gives a new Trainer and a new task of (values by name, the trial's folder).
            trials: How many in this call; None is all of a grid.

        Raises:
            ConfigurationError: Nothing logs the monitor, or the storage holds another search.
            Exception: What the first trials all end with.
        """
        count = self.grid_size if trials is None else trials
        if count is None:
            raise ConfigurationError(f"method={self.method!r} needs trials: how many to run.")
        checked_integer("trials", count, least=1)
        study = self._begin()

        is_whole = self._grid is not None and study.sampler.is_exhausted(study)
        try:
            if is_whole:
                log.info("every combination of the grid has ended already")
            else:
                self._optimize(study, count, make)
        finally:
            result = self._result(study)
            if result.trials:
                result.save()
        return result

    def _begin(self) -> Any:
        """Return the study, of an earlier call where there was one."""
        if self._study is None:
            study = self._open()
            folder = search_folder(self._output)
            claim_folder(folder, study)
            self._study, self.folder = study, folder
        self._errors = []
        if self._study.trials:
            log.info("the search goes on after %d trials", len(self._study.trials))
        return self._study

    def _open(self) -> Any:
        lines = [f"{name}: {each}" for name, each in self.space.items()]
        lines += [f"monitor: {self.monitor}", f"mode: {self.mode}", *self.setup.splitlines()]
        return open_study(
            method=self.method,
            mode=self.mode,
            seed=self.seed,
            grid=self._grid,
            storage=self.storage,
            lines=lines,
        )

    def _optimize(self, study: Any, count: int, make: Make) -> None:
        try:
            with quiet_optuna():
                study.optimize(
                    lambda trial: self._try(study, trial, make),
                    n_trials=count,
                    catch=(_TrialFailed,),
                    callbacks=[lambda study, trial: self._report(study, trial.number)],
                )
        except _Interrupted as interrupted:
            reason: Any = interrupted.__cause__
        else:
            return
        raise reason

    # ---- one trial

    def _try(self, study: Any, trial: Any, make: Make) -> float:
        """Run one trial, and return its value."""
        folder = str(self.folder / f"trial_{trial.number}")
        trial.set_user_attr("folder", folder)
        if trial.number != self._count:
            # There are trials of another call, which may have drawn by the same seed.
            study.sampler.reseed_rng()
        self._count += 1
        policy = keras.config.dtype_policy()

        try:
            drawn = {name: each.suggest(trial, name) for name, each in self.space.items()}
            values = {name: self.space[name].value(each) for name, each in drawn.items()}
            return self._fit(study, trial, make, values, folder)
        except (optuna_package("a search").TrialPruned, SearchError):
            raise
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            log.debug("trial %d", trial.number, exc_info=True)
            trial.set_user_attr("reason", reason)
            if self._is_repeated(error, reason):
                log.error("the first %d trials all ended so: %s", SAME_ERRORS, reason)
                raise
            raise _TrialFailed(reason) from error
        except BaseException as error:
            self._abandon(study, trial)
            raise _Interrupted from error
        finally:
            # Names of layers begin anew, and what the trial held is free before the next.
            keras.utils.clear_session()
            keras.config.set_dtype_policy(policy)
            gc.collect()

    def _fit(
        self, study: Any, trial: Any, make: Make, values: dict[str, Any], folder: str
    ) -> float:
        trainer, task = make(values, folder)
        if trainer.workers.count > 1:
            raise SearchError("a search runs in one process: start it without other workers.")
        if self.method == "hyperband":
            set_hyperband(study, trainer.max_epochs)
        pruning = _Pruning(trial, self.monitor)
        trainer.add_callback(pruning)

        with only_warnings(log):  # the search tells each trial in one line
            trainer.fit(task)
        trial.set_user_attr("epochs", trainer.current_epoch)
        value: float = trainer.callback_metrics[self.monitor]
        if not math.isfinite(value):
            raise FloatingPointError(f"{self.monitor} is {value}")
        self._errors.append("")
        if trainer.max_epochs is None or trainer.current_epoch < trainer.max_epochs:
            pruning.check_pruned()  # what the last epoch ended anyway is whole
        return value

    def _is_repeated(self, error: Exception, reason: str) -> bool:
        """Return whether the first trials all ended with the same error, whatever was drawn."""
        self._errors.append(reason)
        return not isinstance(error, OF_VALUES) and self._errors == [reason] * SAME_ERRORS

    def _abandon(self, study: Any, trial: Any) -> None:
        """End a trial that was interrupted; its combination of a grid is left to a later call."""
        if self._grid is None:
            study.tell(trial, state=optuna_package("a search").trial.TrialState.FAIL)
        else:
            trial.set_user_attr("interrupted", True)  # a combination that ended is not tried again

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

    def _result(self, study: Any) -> SearchResult:
        trials = [self._trial(each) for each in study.trials]
        return SearchResult(trials, self.space, self.monitor, self.mode, self.folder)

    def _trial(self, trial: Any) -> Trial:
        attrs = trial.user_attrs
        state = FAILED if "interrupted" in attrs else STATES[trial.state.name]
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


class _TrialFailed(Exception):
    """Ends a trial alone."""


class _Interrupted(BaseException):
    """Ends the search by its cause, which Optuna would take for the end of the trial."""


class _Pruning(OptunaPruning):
    """Ends the search where nothing logs the monitor: no trial would."""

    def _missing(self, names: set[str]) -> None:
        raise SearchError(
            f"monitor={self.monitor!r}: nothing logs it.{nearest(self.monitor, names)}"
        )
