"""Trainer: the one loop that drives every Task."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib import import_module
from typing import Any

import keras
import tensorflow as tf

from lightning_tf import checkpoint
from lightning_tf.arguments import (
    callback_list,
    check,
    logger_list,
    refuse_checkpoint_callbacks,
    settings,
)
from lightning_tf.callback import Callback, CheckpointCallback, Hooks
from lightning_tf.data.data_module import DataModule
from lightning_tf.distribute import Placement
from lightning_tf.evaluation import EvaluationLoop
from lightning_tf.exceptions import ConfigurationError, DataError
from lightning_tf.limits import Limit, limited, seconds
from lightning_tf.logger import Logger
from lightning_tf.loop import FitLoop, Progress, TrainingState, updates_in_epoch
from lightning_tf.metrics import StageMetrics
from lightning_tf.optimizers import Clipping, named_optimizers
from lightning_tf.precision import applied, check_models, policy_name
from lightning_tf.profiler import Profiler, profiler_of
from lightning_tf.records import Records
from lightning_tf.seed import last_seed, seed_everything
from lightning_tf.step import build_lazily, prediction
from lightning_tf.task import Task
from lightning_tf.variables import all_variables, components

log = logging.getLogger("lightning_tf")

# Imported when they are used, so that a Trainer without them does without their libraries.
DEFAULT_CALLBACKS = (
    ("model_checkpoint", "ModelCheckpoint"),
    ("progress_bar", "ProgressBar"),
    ("model_summary", "ModelSummary"),
)


class Trainer:
    """Drives a Task: fit, validate, test, predict.

    Args:
        accelerator: ``auto``, ``cpu`` or ``gpu``.
        devices: How many; ``auto`` or 1.
        strategy: ``auto``.
        precision: A Keras policy or Lightning's name: ``float32``, ``mixed_bfloat16`` or
            ``bf16-mixed``, ``mixed_float16`` or ``16-mixed``, and the pure ones.
        max_epochs: Epochs to train. At least one of max_epochs, max_steps, max_time is needed.
        min_epochs: A stop request before so many epochs is dropped and judged again later.
        max_steps: Updates to train.
        min_steps: As min_epochs, in updates.
        max_time: ``"DD:HH:MM:SS"``, a timedelta, or a dict of its arguments.
        limit_train_batches: Batches of an epoch, a count or a fraction.
        limit_val_batches: Batches of a validation; 0 switches validation off.
        limit_test_batches: Batches of a test.
        limit_predict_batches: Batches of a prediction.
        overfit_batches: Train and validate on the first batches of epoch 0's training data only.
        fast_dev_run: Run one batch (True) or n of everything, without loggers and checkpoints.
        val_check_interval: A fraction of the epoch or a count of batches between validations.
        check_val_every_n_epoch: Validate in every n-th epoch; None counts batches across epochs.
        num_sanity_val_steps: Validation batches to run before training; -1 runs all.
        log_every_n_steps: Updates between two rows, the points where training waits for values.
        accumulate_grad_batches: Batches for each update; an incomplete window is flushed at the
            epoch's end and divided by its true count.
        gradient_clip_val: Limit of the gradients of an optimizer; None clips nothing.
        gradient_clip_algorithm: ``norm`` (of all gradients together) or ``value`` (each element).
        callbacks: Callback objects, keras.callbacks.Callback objects among them.
        logger: True for a CSVLogger, False for none, or one Logger or several.
        enable_checkpointing: Whether a ModelCheckpoint is added where none is given.
        enable_progress_bar: Whether a ProgressBar is added where none is given.
        enable_model_summary: Whether a ModelSummary is added where none is given.
        default_root_dir: Where files go unless something says otherwise.
        seed: Given to `seed_everything` when an entry point begins.
        deterministic: Makes TensorFlow's operations deterministic, for the rest of the process.
            Needs a seed.
        jit_compile: Compiles steps with XLA; made a small conv net 2.5 times slower on a CPU.
        profiler: ``simple`` (a table of where the time went), ``trace`` (a TensorBoard trace of
            updates 10 to 20), or a Profiler.
        detect_anomaly: Checks every operation for NaN and infinity, and names the first; slow.

    Raises:
        ConfigurationError: An argument cannot work; says which, the value, and what to give.

    Example:
        >>> from lightning_tf import Trainer
        >>> from lightning_tf.tasks import ImageClassification
        >>> task = ImageClassification(data="digits")
        >>> trainer = Trainer(max_epochs=10, seed=0)
        >>> trainer.fit(task)
        >>> trainer.test(task)["test_accuracy"]
    """

    def __init__(
        self,
        *,
        accelerator: str = "auto",
        devices: int | str = "auto",
        strategy: Any = "auto",
        precision: str | int = "float32",
        max_epochs: int | None = None,
        min_epochs: int | None = None,
        max_steps: int | None = None,
        min_steps: int | None = None,
        max_time: Any = None,
        limit_train_batches: Limit = 1.0,
        limit_val_batches: Limit = 1.0,
        limit_test_batches: Limit = 1.0,
        limit_predict_batches: Limit = 1.0,
        overfit_batches: Limit = 0,
        fast_dev_run: bool | int = False,
        val_check_interval: int | float = 1.0,
        check_val_every_n_epoch: int | None = 1,
        num_sanity_val_steps: int = 2,
        log_every_n_steps: int = 50,
        accumulate_grad_batches: int = 1,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str = "norm",
        callbacks: Sequence[Any] | Any | None = None,
        logger: Logger | Sequence[Logger] | bool | None = True,
        enable_checkpointing: bool = True,
        enable_progress_bar: bool = True,
        enable_model_summary: bool = True,
        default_root_dir: str | os.PathLike[str] = ".",
        seed: int | None = None,
        deterministic: bool = False,
        jit_compile: bool = False,
        profiler: str | Profiler | None = None,
        detect_anomaly: bool = False,
    ) -> None:
        arguments = {name: value for name, value in locals().items() if name != "self"}
        self.max_epochs, self.min_epochs = max_epochs, min_epochs
        self.max_steps, self.min_steps = max_steps, min_steps
        self.max_seconds = seconds(max_time)
        self.limit_train_batches, self.limit_val_batches = limit_train_batches, limit_val_batches
        self.limit_test_batches = limit_test_batches
        self.limit_predict_batches = limit_predict_batches
        self.overfit_batches = overfit_batches
        self.fast_dev_run = int(fast_dev_run)
        self.val_check_interval = val_check_interval
        self.check_val_every_n_epoch = check_val_every_n_epoch
        self.num_sanity_val_steps = num_sanity_val_steps
        self.log_every_n_steps = log_every_n_steps
        self.accumulate_grad_batches = accumulate_grad_batches
        self.gradient_clip_val = gradient_clip_val
        self.gradient_clip_algorithm = gradient_clip_algorithm
        self.default_root_dir = os.fspath(default_root_dir)
        self.seed, self.deterministic = seed, deterministic
        self.jit_compile, self.detect_anomaly = jit_compile, detect_anomaly
        check(arguments)
        self.precision = policy_name(precision)
        self.placement = Placement(accelerator, devices, strategy)
        self.profiler = profiler_of(profiler)
        self.settings = settings(arguments)
        if self.fast_dev_run:
            self._set_fast_dev_run()
            logger = enable_checkpointing = False
        self._enabled = (enable_checkpointing, enable_progress_bar, enable_model_summary)
        self._own_callbacks = callback_list(callbacks)
        if not enable_checkpointing and not self.fast_dev_run:
            refuse_checkpoint_callbacks(self._own_callbacks)
        self.loggers = logger_list(logger)
        self.callbacks: list[Callback] = [*self.loggers, *self._own_callbacks]

        self.progress = Progress()
        self.records = Records(self.loggers, lambda: self.progress)
        self.task: Task | None = None
        self.stage: str | None = None
        self.stop_reason = ""
        self.resumed = False
        self.ckpt_path: str | None = None
        self.window_start_step = 0
        self.validation_due = False
        self.num_training_batches: int | None = None
        self.num_val_batches: int | None = None
        self.prog_bar_metrics: set[str] = set()
        self.is_global_zero = True
        self._hooks: Hooks | None = None
        self._training: TrainingState | None = None
        self._loop: FitLoop | None = None
        self._prepared: set[tuple[int, str]] = set()

    def _set_fast_dev_run(self) -> None:
        count = self.fast_dev_run
        self.max_epochs, self.max_steps, self.min_epochs, self.min_steps = 1, count, None, None
        self.limit_train_batches = self.limit_val_batches = count
        self.limit_test_batches = self.limit_predict_batches = count
        self.num_sanity_val_steps = 0
        self.val_check_interval, self.check_val_every_n_epoch = 1.0, 1
        self.accumulate_grad_batches = 1

    # ---- entry points

    def fit(self, task: Task, ckpt_path: str | os.PathLike[str] | None = None) -> None:
        """Train a task.

        A second fit of the same task goes on where the first ended; raise `max_epochs` or
        `max_steps` for that. Another task starts anew.

        Args:
            task: What to train.
            ckpt_path: A checkpoint directory to resume from, ``"last"`` or ``"best"``.

        Raises:
            ConfigurationError: No limit is given, or the task lacks something.
            DataError: The training data are empty or of the wrong kind.
            NonFiniteLossError: A loss became NaN or infinite; says at which update.
        """
        if self.max_epochs is None and self.max_steps is None and self.max_seconds is None:
            raise ConfigurationError(
                "no limit is given: pass at least one of max_epochs, max_steps and max_time."
            )
        with self._entered(task, "fit"):
            self._fit(task, ckpt_path)

    def validate(
        self, task: Task, ckpt_path: str | os.PathLike[str] | None = None
    ) -> dict[str, float]:
        """Evaluate on the validation data.

        Args:
            task: What to evaluate, with the weights that it has.
            ckpt_path: A checkpoint whose weights to take first.

        Returns:
            Means over all examples, such as ``{"val_loss": 0.1, "val_accuracy": 0.97}``.
        """
        with self._entered(task, "validate"):
            return self._evaluate(task, "validation", "val", self.limit_val_batches, ckpt_path)

    def test(self, task: Task, ckpt_path: str | os.PathLike[str] | None = None) -> dict[str, float]:
        """Evaluate on the test data; see `validate`."""
        with self._entered(task, "test"):
            return self._evaluate(task, "test", "test", self.limit_test_batches, ckpt_path)

    def predict(
        self,
        task: Task,
        ckpt_path: str | os.PathLike[str] | None = None,
        *,
        collect: bool = False,
    ) -> Any:
        """Run `predict_step` over the prediction data, in its order.

        Args:
            task: What predicts.
            ckpt_path: A checkpoint whose weights to take first.
            collect: Return a list instead of an iterator, which keeps one batch at a time.

        Returns:
            An iterator over batches of host arrays, in the structure of `predict_step`. It works
            while it is iterated; closing it early ends the entry point.
        """
        batches = self._predictions(task, ckpt_path)
        return list(batches) if collect else batches

    def save_checkpoint(self, path: str | os.PathLike[str], weights_only: bool = False) -> None:
        """Write the run as it stands.

        Args:
            path: The directory to make.
            weights_only: Leave out what only training needs: optimizers, positions, callbacks.

        Raises:
            NonFiniteLossError: The loss went bad since the last row; nothing is written.
            OSError: The disk refuses; what stood at `path` is untouched.
        """
        if self.task is None:
            raise ConfigurationError("save_checkpoint needs a task: call fit, validate or test first.")
        if self._loop is not None:
            self._loop.read()  # a checkpoint of weights that went bad would replace a good one
        with self.profiler.region("checkpoints"):
            variables, run = self._state(self.task, weights_only)
            checkpoint.save(path, variables, run)

    def request_stop(self, reason: str) -> None:
        """Ask training to stop at the next point where the loop looks.

        Dropped while min_epochs or min_steps are unmet; ask again then.
        """
        self.stop_reason = reason

    # ---- what callbacks and tasks read

    @property
    def current_epoch(self) -> int:
        """Complete epochs, which is also the number of the running one, from 0."""
        return self.progress.epoch

    @property
    def global_step(self) -> int:
        """Updates done: one for each window of accumulation, however many optimizers."""
        return self.progress.global_step

    @property
    def batch_idx(self) -> int:
        """Batches done in the current epoch."""
        return self.progress.batch

    @property
    def hooks(self) -> Hooks:
        """Calls hooks on all callbacks and the task."""
        if self._hooks is None:
            raise ConfigurationError("hooks exist only inside fit, validate, test and predict.")
        return self._hooks

    @property
    def logger(self) -> Logger | None:
        """The first logger."""
        return self.loggers[0] if self.loggers else None

    @property
    def log_dir(self) -> str | None:
        """The folder of the first logger that has one."""
        return next((folder for logger in self.loggers if (folder := logger.log_dir)), None)

    @property
    def optimizers(self) -> dict[str, keras.optimizers.Optimizer]:
        """The Keras optimizers by name; a single one has the empty name."""
        named = {} if self._training is None else self._training.optimizers
        return {name: optimizer.optimizer for name, optimizer in named.items()}

    @property
    def sanity_checking(self) -> bool:
        """Whether the sanity check runs."""
        return self.stage == "sanity_check"

    @property
    def scales_loss(self) -> bool:
        """Whether losses are scaled, so that an overflow skips an update."""
        return self.precision == "mixed_float16"

    @property
    def checkpoint_callback(self) -> CheckpointCallback | None:
        """The first callback that writes checkpoints."""
        found = (c for c in self.callbacks if isinstance(c, CheckpointCallback))
        return next(found, None)

    @property
    def early_stopping_callback(self) -> Callback | None:
        """The first EarlyStopping."""
        found = (c for c in self.callbacks if type(c).__name__ == "EarlyStopping")
        return next(found, None)

    @property
    def callback_metrics(self) -> dict[str, float]:
        """The latest value of every metric, under Keras' names."""
        return self.records.latest

    @property
    def metric_steps(self) -> dict[str, int]:
        """The `global_step` at which each of `callback_metrics` was measured."""
        return self.records.steps

    @property
    def estimated_stepping_batches(self) -> float:
        """Updates of the whole fit, for schedules; infinite where no limit tells."""
        limits = [math.inf if self.max_steps is None else float(self.max_steps)]
        if self.max_epochs is not None and self.num_training_batches is not None:
            updates = updates_in_epoch(self.num_training_batches, self.accumulate_grad_batches)
            limits.append(float(updates * self.max_epochs))
        return min(limits)

    def metric_names(self) -> tuple[set[str], bool]:
        """The names that this fit logs, and whether no others can come from hooks."""
        names = set(self.records.latest)
        if self._loop is not None:
            names |= self._loop.names()
            if self._loop.validation is not None:
                names |= self._loop.validation.names()
        return names, not self.hooks.may_log()

    def running_metrics(self) -> dict[str, float]:
        """The epoch's values so far; waits for the device, so ask rarely."""
        return {} if self._loop is None else self._loop.peek()

    # ---- what callbacks and tasks report

    def measured(self, values: dict[str, float]) -> None:
        """Take what a stage measured: the latest values, and a row; nothing in a sanity check."""
        if not self.sanity_checking:
            self.records.remember(values)
            self.log_row(values)

    def log_row(self, values: dict[str, float]) -> None:
        """Send a row to the loggers."""
        with self.profiler.region("log rows"):
            self.records.row(values)

    def log_metrics(self, metrics: dict[str, float]) -> None:
        """Log numbers from the host, under Keras' names; they can be monitored."""
        self.measured(metrics)

    def log_images(self, name: str, images: Any, captions: Sequence[str] | None = None) -> None:
        """Give pictures to every logger: uint8, or float in [0, 1], (n, height, width, 1 or 3)."""
        self.records.send("log_images", name, images, captions=captions)

    def log_table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Give a table to every logger."""
        self.records.send("log_table", name, columns, rows)

    def log_figure(self, name: str, figure: Any) -> None:
        """Give a matplotlib figure to every logger."""
        self.records.send("log_figure", name, figure)

    def log_file(self, name: str, path: str) -> None:
        """Give a file to every logger."""
        self.records.send("log_file", name, path)

    # ---- how an entry point begins and ends

    @contextmanager
    def _entered(self, task: Task, stage: str) -> Iterator[None]:
        with ExitStack() as stack:
            self._attach(task, stage)
            stack.callback(self._detach)
            stack.enter_context(applied(self.precision))
            stack.enter_context(self.placement.scope())
            if self.detect_anomaly:
                tf.debugging.enable_check_numerics()
                stack.callback(tf.debugging.disable_check_numerics)
            try:
                self._set_up(task, stage)
                yield
                self._tear_down(task, stage)
            except BaseException as exception:
                self._fail(exception)
                raise

    def _attach(self, task: Task, stage: str) -> None:
        if not isinstance(task, Task):
            raise ConfigurationError(f"{stage} got {task!r}; give a lightning_tf.Task.")
        if not isinstance(task.data, DataModule):
            raise ConfigurationError(
                f"{type(task).__name__}.data is {task.data!r}; give it a lightning_tf.DataModule."
            )
        if self.task is not task:
            self.task, self.progress, self._training = task, Progress(), None
            self.records.latest.clear()
            self.records.steps.clear()
        self._loop = None
        self.stop_reason = ""
        task._trainer = self
        self.callbacks = [*self.loggers, *self._own_callbacks, *task.callbacks()]
        self.callbacks += self._default_callbacks()
        if type(self.profiler) is not Profiler:
            self.callbacks.append(self.profiler)
        self._hooks = Hooks(self, task, self.callbacks, self.profiler.region)

    def _default_callbacks(self) -> list[Callback]:
        added = []
        for (module, name), enabled in zip(DEFAULT_CALLBACKS, self._enabled, strict=True):
            if enabled:
                kind = getattr(import_module(f"lightning_tf.callbacks.{module}"), name)
                if not any(isinstance(callback, kind) for callback in self.callbacks):
                    added.append(kind())
        return added

    def _set_up(self, task: Task, stage: str) -> None:
        seed = self.seed
        if seed is not None:
            seed_everything(seed)
        if self.deterministic:
            if last_seed() is None:
                raise ConfigurationError(
                    "deterministic=True needs a seed: pass seed=, or call seed_everything first."
                )
            tf.config.experimental.enable_op_determinism()
        data = _data_of(task)
        data.trainer_seed = seed or 0
        if (id(data), "") not in self._prepared:
            data.prepare_data()
            self._prepared.add((id(data), ""))
        if (id(data), stage) not in self._prepared:
            data.setup(stage)
            self._prepared.add((id(data), stage))
        self.hooks("setup", stage)
        self.records.loggers.send("log_hparams", {**task.hparams, "trainer": self.settings})

    def _tear_down(self, task: Task, stage: str) -> None:
        self.hooks("teardown", stage)
        _data_of(task).teardown(stage)
        self.records.loggers.send("finalize", "success")

    def _fail(self, exception: BaseException) -> None:
        status = "interrupted" if isinstance(exception, KeyboardInterrupt) else "failed"
        try:
            self.hooks("on_exception", exception)
        except Exception:
            log.exception("on_exception itself failed; the first error is raised")
        self.records.loggers.send("finalize", status)

    def _detach(self) -> None:
        self.stage = None
        self.validation_due = False

    # ---- training

    def train_data(self, epoch: int, batch: int = 0) -> tf.data.Dataset:
        """The training batches of an epoch, from a batch on."""
        data = _data_of(self.task)
        if self.overfit_batches:
            dataset = _needed(data.dataset_for("train", 0), data, "train")
            few, _ = limited(dataset, self.overfit_batches, "overfit_batches", "train_dataset")
            return few.cache().skip(batch)
        return _needed(data.dataset_for("train", epoch, batch), data, "train")

    def _fit(self, task: Task, ckpt_path: str | os.PathLike[str] | None) -> None:
        first = self.train_data(self.progress.epoch)
        self._build(task, "training_step", first.element_spec, first)
        validation = self._evaluation(task, "validation", "val", self.limit_val_batches, fit=True)
        self.num_val_batches = 0 if validation is None else validation.length
        loop = FitLoop(self, task, self._training_state(task), validation)
        self._loop = loop
        loop.prepare(first)
        self.resumed = ckpt_path is not None
        if ckpt_path is not None:
            self._resume(task, loop, ckpt_path)
        self.stage = "train"
        self.hooks("on_fit_start")
        if validation is not None and not self.resumed:
            self._sanity_check(task, validation)
        loop.compile(first.element_spec)
        if validation is not None:
            _ = validation.window  # traced before training, so that its names are known
            task._metrics = loop.state.metrics.metrics
        self.hooks("on_train_start")
        loop.run()
        self.hooks("on_train_end")
        self.hooks("on_fit_end")

    def _build(self, task: Task, method: str, element_spec: Any, train: Any = None) -> None:
        if train is not None:
            _, self.num_training_batches = limited(
                train, self.limit_train_batches, "limit_train_batches", "train_dataset"
            )
        if not getattr(task, "_configured", False):
            task.configure_model()
            task._configured = True  # type: ignore[attr-defined]
        layers = {n: c for n, c in components(task) if isinstance(c, keras.Layer)}
        if not all(layer.built for layer in layers.values()):
            build_lazily(task, method, element_spec)
        check_models(type(task).__name__, layers, self.precision)

    def _training_state(self, task: Task) -> TrainingState:
        if self._training is None:
            clipping = None
            if self.gradient_clip_val is not None:
                clipping = Clipping(self.gradient_clip_algorithm, float(self.gradient_clip_val))
            optimizers = named_optimizers(
                task,
                task.configure_optimizers(),
                clipping=clipping,
                accumulate_grad_batches=self.accumulate_grad_batches,
                scaling=self.scales_loss,
            )
            own = {optimizer.own_accumulation for optimizer in optimizers.values()}
            if own != {1} and self.accumulate_grad_batches == 1:
                if len(own) > 1:
                    raise ConfigurationError(
                        f"the optimizers' gradient_accumulation_steps differ ({sorted(own)}); pass "
                        "one accumulate_grad_batches to the Trainer."
                    )
                self.accumulate_grad_batches = own.pop()
            self._training = TrainingState(optimizers, StageMetrics(task, set()))
        return self._training

    def _sanity_check(self, task: Task, validation: EvaluationLoop) -> None:
        if self.num_sanity_val_steps == 0:
            return
        count = None if self.num_sanity_val_steps == -1 else self.num_sanity_val_steps
        generators = checkpoint.random_state()
        self.stage = "sanity_check"
        self.hooks("on_sanity_check_start")
        validation.run(count)
        self.hooks("on_sanity_check_end")
        self.stage = "train"
        checkpoint.restore_random_state(generators)

    # ---- evaluation and prediction

    def _evaluation(
        self, task: Task, hook_name: str, prefix: str, limit: Limit, fit: bool = False
    ) -> EvaluationLoop | None:
        data = _data_of(task)
        if fit and limit == 0:
            return None
        dataset = self.train_data(0) if fit and self.overfit_batches else data.dataset_for(prefix)
        if dataset is None and fit:
            return None
        taken = set() if self._training is None else {
            id(metric) for metric in self._training.metrics.metrics.values()
        }
        return EvaluationLoop(
            self,
            task,
            hook_name=hook_name,
            prefix=prefix,
            metrics=StageMetrics(task, taken),
            dataset=_needed(dataset, data, prefix),
            limit=limit,
        )

    def _evaluate(
        self,
        task: Task,
        hook_name: str,
        prefix: str,
        limit: Limit,
        ckpt_path: str | os.PathLike[str] | None,
    ) -> dict[str, float]:
        if limit == 0:
            raise ConfigurationError(f"limit_{prefix}_batches=0 leaves nothing to evaluate.")
        self.stage = "validate" if prefix == "val" else "test"
        data = _data_of(task)
        dataset = _needed(data.dataset_for(prefix), data, prefix)
        self._build(task, f"{hook_name}_step", dataset.element_spec)
        self._load_weights(task, ckpt_path)
        loop = self._evaluation(task, hook_name, prefix, limit)
        if loop is None:
            raise DataError(f"{type(data).__name__} has no {prefix} data.")
        if prefix == "val":
            self.num_val_batches = loop.length
        return loop.run()

    def _predictions(
        self, task: Task, ckpt_path: str | os.PathLike[str] | None
    ) -> Iterator[Any]:
        with self._entered(task, "predict"):
            self.stage = "predict"
            data = _data_of(task)
            dataset, _ = limited(
                _needed(data.dataset_for("predict"), data, "predict"),
                self.limit_predict_batches,
                "limit_predict_batches",
                "predict_dataset",
            )
            self._build(task, "predict_step", dataset.element_spec)
            self._load_weights(task, ckpt_path)
            step = prediction(task, dataset.element_spec)
            self.hooks("on_predict_start")
            self.hooks("on_predict_epoch_start")
            for index, batch in enumerate(dataset):
                self.hooks("on_predict_batch_start", index)
                outputs = tf.nest.map_structure(lambda part: part.numpy(), step(batch))
                self.hooks("on_predict_batch_end", outputs, index)
                yield outputs
            self.hooks("on_predict_epoch_end")
            self.hooks("on_predict_end")

    # ---- checkpoints

    def _state(self, task: Task, weights_only: bool) -> tuple[dict[str, Any], dict[str, Any]]:
        variables = {f"task.{name}": v for name, v in all_variables(task).items()}
        run: dict[str, Any] = {
            "task": f"{type(task).__module__}.{type(task).__qualname__}",
            "hparams": task.hparams,
            "weights_only": weights_only,
        }
        if weights_only or self._training is None:
            return variables, run
        for name, optimizer in self._training.optimizers.items():
            variables |= {f"optimizer.{name}.{k}": v for k, v in optimizer.state().items()}
        metrics = self._training.metrics.state()
        variables |= {f"metric.{name}": variable for name, variable in metrics.items()}
        means = self._training.means
        run |= {
            "progress": self.progress.state(),
            "means": {} if means is None else means.state(),
            "metrics": {"latest": self.records.latest, "steps": self.records.steps},
            "callbacks": {c.state_key: state for c in self.callbacks if (state := c.state_dict())},
            "random": checkpoint.random_state(),
            "settings": self.settings,
        }
        return variables, run

    def _path_of(self, ckpt_path: str | os.PathLike[str]) -> str:
        if ckpt_path not in ("last", "best"):
            return os.fspath(ckpt_path)
        attribute = "last_model_path" if ckpt_path == "last" else "best_model_path"
        found = [getattr(c, attribute, "") for c in self.callbacks]
        path = next((str(path) for path in found if path), None)
        if path is None:
            raise ConfigurationError(
                f"ckpt_path={ckpt_path!r}: no callback of this Trainer has written such a "
                "checkpoint; give a path."
            )
        return path

    def _load_weights(self, task: Task, ckpt_path: str | os.PathLike[str] | None) -> None:
        if ckpt_path is not None:
            path = self._path_of(ckpt_path)
            tensors, _ = checkpoint.load(path)
            variables = {f"task.{name}": v for name, v in all_variables(task).items()}
            checkpoint.assign(variables, tensors, path)

    def _resume(self, task: Task, loop: FitLoop, ckpt_path: str | os.PathLike[str]) -> None:
        path = self.ckpt_path = self._path_of(ckpt_path)
        tensors, run = checkpoint.load(path)
        if "progress" not in run:
            raise checkpoint.CheckpointError(f"{path} holds weights only; fit cannot resume from it.")
        variables, _ = self._state(task, weights_only=False)
        checkpoint.assign(variables, tensors, path)
        for name, value in run["progress"].items():
            setattr(self.progress, name, value)
        loop.state.pending = run["means"]
        self.records.latest.update(run["metrics"]["latest"])
        self.records.steps.update(run["metrics"]["steps"])
        for callback in self.callbacks:
            if callback.state_key in run["callbacks"]:
                callback.load_state_dict(run["callbacks"][callback.state_key])
        checkpoint.restore_random_state(run["random"])


def _data_of(task: Task | None) -> DataModule:
    if task is None or task.data is None:
        raise ConfigurationError("there is no task with data")
    return task.data


def _needed(dataset: tf.data.Dataset | None, data: DataModule, stage: str) -> tf.data.Dataset:
    if dataset is None:
        raise DataError(
            f"{type(data).__name__}.{stage}_dataset gave nothing; return a batched tf.data.Dataset."
        )
    return dataset
