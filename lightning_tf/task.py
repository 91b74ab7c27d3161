"""Task: what a user subclasses; model, data and metrics in one object."""

from __future__ import annotations

import inspect
import logging
import os
import warnings
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

import keras
import tensorflow as tf

from lightning_tf.callback import Callback
from lightning_tf.checkpoint.io import Checkpoint, assign_tensors, read_checkpoint
from lightning_tf.checkpoint.state_arrays import put_arrays
from lightning_tf.checks import check_known, checked_integer, describe
from lightning_tf.data.data_module import DataModule
from lightning_tf.data.report.data_report import DataReport
from lightning_tf.data.sources.given_data import given_data, splits_of
from lightning_tf.data.sources.new_examples import NewExamples, examples_of
from lightning_tf.exceptions import CheckpointError, ConfigurationError, DataError, nearest
from lightning_tf.export import check_export, export_model, export_weights
from lightning_tf.hyperparameters import call_arguments, holds_a_type, is_name_of, plain_arguments
from lightning_tf.lightning_names import GIVEN_TO_TASKS, LOG_OPTIONS
from lightning_tf.precision import use_policy
from lightning_tf.prediction_columns import named_columns, parts_of, value_columns
from lightning_tf.screen import only_warnings
from lightning_tf.step_context import current_step_context
from lightning_tf.storage.remote_files import stored
from lightning_tf.task_card import task_card
from lightning_tf.traced_trainer import TracedTrainer
from lightning_tf.variables import components, named_weights, unbuilt_layers

if TYPE_CHECKING:
    from lightning_tf.host_metric import HostMetric
    from lightning_tf.prediction_table import PredictionTable
    from lightning_tf.predictor import Predictor
    from lightning_tf.trainer import Trainer

log = logging.getLogger("lightning_tf")

LossFunction = Callable[[], tf.Tensor]
UNWATCHED = {
    "configured",
    "_trainer",
    "_metrics",
    "_host_metrics",
    "_weights",
    "has_learned",
    "_predictor",
}  # the Trainer's, not the user's


class _Optimizers:
    """The optimizers of the Trainer; a task may as well have an attribute of the name."""

    def __get__(self, task: Task | None, owner: Any = None) -> Any:
        return self if task is None else task.trainer.optimizers


class Task:
    """Model, data and metrics of one job; a single Trainer drives them all.

    A subclass makes its Keras models in `configure_model`, names its optimizers in
    `configure_optimizers` and computes losses in `training_step`. The steps are traced into a
    TensorFlow graph: use TensorFlow and Keras operations, and `tf.cond` or `tf.where` instead of
    a Python `if` on a tensor, as in a Keras layer.

    What a step returns is logged by itself: ``loss`` for a scalar, ``generator_loss`` and
    ``discriminator_loss`` for a dict; ``val_loss`` and ``test_loss`` in evaluation.

    Attributes:
        data: The data of the task: a DataModule, or what `configure_data` makes one of, such as
            arrays ``(x, y)``, a batched `tf.data.Dataset`, or ``{"train": ..., "val": ...}``.
        hparams: The constructor's arguments as plain data; an argument that is none (a model,
            arrays, a DataModule) is recorded as ``{"type": "package.Class"}``.
        configured: Whether `configure_model` has run.
        initial_epoch: The number of the first epoch of a fit, whose order of the data and whose
            schedules are those of this number; `max_epochs` counts from 0.
        allows_frozen: Whether a fit may begin where all weights are frozen, as Keras' fit does.
        brings_weights: Whether `configure_model` may bring trained weights, so that evaluating them
            without a fit and a checkpoint is no mistake that is warned of.
        input_kind: What an example of `new_examples` is, for those who ask from afar: ``image``,
            ``text``, ``row`` of a table, ``history`` of a series, ``array``; None where there is
            nothing to predict of new data.
        finds_several: Whether a table of predictions may have several rows of an example, or none.
        has_learned: Whether a fit has trained the weights, or a checkpoint gave them.
        logs_metrics: The names that hooks log with `log`, or False for none; see `Callback`.

    Example:
        >>> class Regression(Task):
        ...     def __init__(self, data, units=16):
        ...         self.data, self.units = data, units
        ...
        ...     def configure_model(self):
        ...         self.model = keras.Sequential(
        ...             [keras.layers.Dense(self.units, activation="relu"), keras.layers.Dense(1)]
        ...         )
        ...
        ...     def configure_optimizers(self):
        ...         return keras.optimizers.Adam(1e-3)
        ...
        ...     def training_step(self, batch):
        ...         x, y = batch
        ...         return tf.reduce_mean((self.model(x, training=True) - y) ** 2)
    """

    data: Any = None
    hparams: dict[str, Any]
    configured: bool
    initial_epoch: int = 0
    allows_frozen: bool = False
    brings_weights: bool = False
    input_kind: str | None = "array"
    finds_several: bool = False
    has_learned: bool
    logs_metrics: bool | Collection[str] = True
    _trainer: Trainer | None
    _metrics: dict[str, Any]
    _host_metrics: Mapping[str, HostMetric]
    _weights: Callable[[], None] | None
    optimizers = _Optimizers()  # by name, while a Trainer drives the task
    _predictor: Predictor | None

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Record the constructor's arguments before the subclass's own `__init__` runs."""
        task = super().__new__(cls)
        task.hparams = plain_arguments(cls, args, kwargs)
        task._trainer = task._weights = task._predictor = None
        task._metrics, task._host_metrics = {}, {}
        task.configured = task.has_learned = False
        return task

    if not TYPE_CHECKING:  # type checkers would take every attribute for a known one

        def __getattribute__(self, name: str) -> Any:
            """Return an attribute; what a step reads while it is traced is noted."""
            context = current_step_context()
            reads = None if context is None or name in UNWATCHED else context.reads
            try:
                value = super().__getattribute__(name)
            except AttributeError as error:
                if reads is not None and not name.startswith("_"):
                    reads.note_missing(self, name)
                if name in GIVEN_TO_TASKS and error.name == name and error.obj is self:
                    message = f"{error}, as LightningModules have; {GIVEN_TO_TASKS[name]}."
                    raise AttributeError(message, name=name, obj=self) from None
                raise
            if reads is not None:
                if name == "__dict__":
                    reads.note_all(self)
                elif not name.startswith("__"):
                    reads.note(self, name, value)
            return value

        def __setattr__(self, name: str, value: Any) -> None:
            """Set an attribute; what a step sets while it is traced is noted."""
            super().__setattr__(name, value)
            context = current_step_context()
            if context is not None and context.reads is not None:
                context.reads.note_written(name)

    def __init__(self) -> None:
        """Store plain data, in a subclass; heavy work belongs in the methods below."""

    def _repr_html_(self) -> str | None:
        try:
            return task_card(self)
        except Exception:  # a subclass may be half made: a look at it must not fail
            return None

    @classmethod
    def from_checkpoint(cls, path: str | os.PathLike[str], **arguments: Any) -> Self:
        """Rebuild a task from a checkpoint: its hyperparameters and its models' weights.

        Models are made at once. Layers that only a first batch can build get their weights when an
        entry point of a Trainer builds them.

        Args:
            path: The checkpoint's directory.
            arguments: Replace recorded hyperparameters; an argument that is no plain data (a
                model, arrays, a DataModule) must be given again here.

        Raises:
            CheckpointError: The checkpoint is missing, damaged or of another class, an argument is
                missing, or the weights do not fit.

        Example:
            >>> task = ImageClassification.from_checkpoint("runs/version_0/checkpoints/last.ckpt")
            >>> Trainer().test(task)
        """
        checkpoint = read_checkpoint(path)
        tensors, run = checkpoint.tensors, checkpoint.run
        written_by = str(run.get("task"))
        if not any(is_name_of(written_by, base) for base in cls.__mro__[:-2]):
            raise CheckpointError(
                f"{path} was written by {written_by}, not by {cls.__name__}; call from_checkpoint "
                "on that class."
            )

        task: Self = _constructed(cls, run, arguments)
        load_states(task, checkpoint)  # decides how models are built

        with use_policy(run["precision"]):
            task.make_models()

        task._weights = lambda: assign_tensors(named_weights(task), tensors, str(path))
        if not unbuilt_layers(task):
            task.take_weights()
        return task

    @classmethod
    def predicts_without_data(cls, run: Mapping[str, Any]) -> bool:
        """Return whether `from_checkpoint` may leave data out that are not at hand.

        The argument ``data`` is None then, and the task predicts, but has nothing to train on.

        Args:
            run: What the checkpoint holds beside tensors.
        """
        return False

    def take_weights(self) -> None:
        """Load the weights of `from_checkpoint`, once all is built; the Trainer calls it."""
        if self._weights is not None:
            self._weights()
            self._weights = None
            self.has_learned = True

    def make_models(self) -> None:
        """Run `configure_model`, unless that is done; the Trainer calls it."""
        if not self.configured:
            returned: Any = self.configure_model()  # type: ignore[func-returns-value]
            if returned is not None:
                raise ConfigurationError(
                    f"configure_model returned {describe(returned)}, which nobody would read; set "
                    "attributes, such as self.model = ..., and return nothing."
                )
            self.configured = True

    @property
    def can_predict(self) -> bool:
        """Whether `predict_step` has a model to compute with."""
        return self.configured

    def constant_variables(self) -> list[Any]:
        """Return variables that steps read and nothing ever moves, such as of a frozen teacher.

        They stand in no checkpoint: whoever builds the task again must bring their values.

        Returns:
            Layers and variables of Keras or TensorFlow.
        """
        return []

    def take_metrics(
        self, metrics: dict[str, Any], host_metrics: Mapping[str, HostMetric] | None = None
    ) -> None:
        """Update these copies of the metrics from now on; the Trainer calls it for each stage.

        Args:
            metrics: Those of the graph.
            host_metrics: Those of an evaluation; None leaves the latest evaluation's.
        """
        self._metrics = metrics
        if host_metrics is not None:
            self._host_metrics = host_metrics

    # ---- what a subclass fills in

    def configure_data(self, splits: dict[str, Any]) -> DataModule:
        """Return data that are no DataModule as one; a task may take more, or check them.

        Args:
            splits: What ``self.data`` holds, or an entry point of the Trainer was given, by
                ``train``, ``val``, ``test`` and ``predict``; see `given_data`. Arrays are cut into
                batches of ``self.batch_size``, or of 32 where the task has no such attribute.
        """
        return given_data(splits, getattr(self, "batch_size", None) or 32)

    def resolve_data(self) -> DataModule | None:
        """Return `data`, made a DataModule once; None where there are none."""
        if self.data is not None and not isinstance(self.data, DataModule):
            self.data = self.configure_data(splits_of(self.data))
        return cast("DataModule | None", self.data)

    def configure_model(self) -> None:
        """Make Keras models as attributes; runs once, in the precision and placement of the run."""

    def configure_optimizers(self) -> Any:
        """Return one Keras optimizer, or a dict that names one for each trained attribute.

        A key of the dict is the name of the attribute whose trainable variables the optimizer
        updates: ``{"generator": Adam(), "discriminator": Adam()}``. A single optimizer owns all
        trainable variables of the task. `trainer.estimated_stepping_batches` is the number of
        updates to come, for schedules.

        In the place of an optimizer stands, if wanted, a dict of it and how it is run:

        - ``lr_scheduler``: a Keras schedule, or a function, that gives the rate itself; or a dict
          of ``scheduler``, ``interval`` and ``frequency``.
        - ``interval``: ``"epoch"``, the default as in Lightning: the rate of an epoch's number, on
          the host, so that the function may be plain Python; or ``"step"``: of the optimizer's
          updates, a float32 tensor in the graph.
        - ``frequency``: every so many of them; the schedule gets how many times that was.
        - ``attributes``: a list of attributes; the dict's key is the optimizer's name then.
        - ``every``: with n it updates at every n-th update of the run, from that one's batches.
        - ``learning_rates``: factors of the rate by the path of an attribute, or by a regular
          expression that is searched in the variables' Keras paths; the first that matches counts.

        Example:
            >>> def configure_optimizers(self):
            ...     return {
            ...         "optimizer": keras.optimizers.AdamW(),
            ...         "lr_scheduler": lambda epoch: 1e-3 * 0.9**epoch,
            ...         "learning_rates": {"backbone": 0.1},
            ...     }
        """
        raise ConfigurationError(
            f"{type(self).__name__} has no configure_optimizers; return a keras optimizer from it."
        )

    def configure_metrics(self) -> dict[str, keras.metrics.Metric]:
        """Return one template, ``{"accuracy": keras.metrics.SparseCategoricalAccuracy()}``.

        Called once for each of train, val and test, so that each keeps separate values.
        """
        return {}

    def configure_host_metrics(self) -> dict[str, HostMetric]:
        """Return metrics of validation and test that Python computes, by name.

        Each stage gets copies of its own. They see what a step hands over with `collect`.
        """
        return {}

    def training_step(self, batch: Any) -> Any:
        """Return the loss of a batch, a mean over its examples; traced.

        Args:
            batch: One element of `data.train_dataset`.

        Returns:
            A scalar, or ``{"generator": scalar, "discriminator": scalar}`` with the names of the
            optimizers. All losses come from the weights as they were when the step began.
            ``{"loss": scalar, "weight": scalar}``, or ``weight`` beside the names, says what the
            batch counts in means over batches and replicas, instead of its examples: the number of
            tokens, or 0 to skip the batch. On several replicas each has its own examples' weight.
        """
        raise ConfigurationError(
            f"{type(self).__name__} has no training_step; return a scalar loss from it."
        )

    def validation_step(self, batch: Any) -> Any:
        """Return a loss, a dict of them by optimizer, or None; traced.

        ``{"loss": loss, "predictions": predictions}`` also hands tensors of the examples over, as
        `collect` does.
        """
        raise ConfigurationError(
            f"{type(self).__name__} has validation data but no validation_step; "
            "write one, or pass Trainer(limit_val_batches=0)."
        )

    def test_step(self, batch: Any) -> Any:
        """Return losses as `validation_step` does, which is the default; traced."""
        return self.validation_step(batch)

    def predict_step(self, batch: Any) -> Any:
        """Return a tensor or a nest of tensors, first dimension the examples; traced."""
        raise ConfigurationError(f"{type(self).__name__} has no predict_step; write one.")

    def callbacks(self) -> list[Callback]:
        """Return callbacks that this task brings along, such as sample images and plots."""
        return []

    def prediction_writer(
        self, directory: str | os.PathLike[str] | None, format: str, save_images: bool = False
    ) -> Callback | None:
        """Return a callback that writes predictions in a format of this task's own.

        ``lightning-tf predict`` asks for it; what it writes stands in its attribute `files`.

        Args:
            directory: Where the files go; None is ``predictions`` in the run's folder.
            format: What ``--format`` says.
            save_images: Whether images are wanted in which the predictions are drawn.

        Returns:
            None where `PredictionWriter` does, which is the default.

        Raises:
            ConfigurationError: The task has no such format, or nothing to draw.
        """
        if save_images:
            raise ConfigurationError(
                f"save_images: {type(self).__name__} has nothing to draw in images."
            )
        return None

    def new_examples(self, data: Any) -> NewExamples:
        """Return new data as batches for `predict_step`, and what names their examples.

        `predict` and `Trainer.predict` call it. Arrays, a nest of them, a list of numbers, datasets
        and DataModules are taken; a task that reads files, tables or texts overrides it.

        Args:
            data: As `predict` was given them.

        Raises:
            ConfigurationError: They are no data that the task can read.
            DataError: They are empty or broken.
        """
        return examples_of(self.configure_data({"predict": data}))

    def prediction_columns(self, outputs: Any, names: Mapping[str, Any]) -> dict[str, Any]:
        """Return the columns of a table of predictions: names of examples, and what was predicted.

        Args:
            outputs: What `predict_step` gave for all examples, a nest of NumPy arrays.
            names: Columns that name the examples; none where they are only counted.

        Returns:
            Equally long columns: unless overridden, one for each value of an example, named as
            `PredictionWriter` does.
        """
        return named_columns(names, value_columns(parts_of(outputs)))

    def predict(self, data: Any, *, batch_size: int = 32, **options: Any) -> PredictionTable:
        """Label new data with a fitted task, or with one from a checkpoint.

        Data are read as the task has read its own, see its `new_examples`. A second call traces
        nothing again; `Predictor` is for a process that goes on.

        Args:
            data: What the task can read: arrays, files, folders, texts, tables.
            batch_size: The most examples that are computed at once.
            **options: Those of the task's `new_examples`.

        Returns:
            A table with a row for each example, in the order given.

        Raises:
            ConfigurationError: There is no model yet, or the task cannot read such data.
            DataError: The data are empty or broken.

        Example:
            >>> task = ImageClassification.from_checkpoint("runs/version_0/checkpoints/last.ckpt")
            >>> table = task.predict("photos")
            >>> table.frame[["file", "label", "probability"]]
            >>> table.save("labels.csv")
        """
        known = set(inspect.signature(self.new_examples).parameters) - {"data"}
        for name in options:
            check_known(f"{type(self).__name__}.predict has no option {name!r}", name, known)
        return self.make_predictor(batch_size)(data, **options)

    def make_predictor(self, batch_size: int) -> Predictor:
        """Return the Predictor of `predict`, which keeps what it has traced.

        Raises:
            ConfigurationError: There is no model yet.
        """
        from lightning_tf.predictor import Predictor

        if self._predictor is None or not self.configured:
            self._predictor = Predictor(self, batch_size)
        self._predictor.batch_size = checked_integer("batch_size", batch_size, 1)
        return self._predictor

    # ---- what a checkpoint holds beside variables and hyperparameters

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint must know to build this task again, as plain data.

        For what is learnt from the data and decides how `configure_model` builds: a vocabulary,
        the names of columns or classes, a choice that a run has made. Variables and constructor
        arguments are in checkpoints anyway. Every save calls it.

        Returns:
            A dict with strings as keys, of numbers, strings, booleans, None, lists and dicts, and
            of arrays of numbers (a replay buffer), which stand among the tensors; tuples come back
            as lists. It is copied at once.

        Example:
            >>> class Tagger(Task):
            ...     words = None
            ...
            ...     def setup(self, stage):
            ...         if self.words is None:  # no checkpoint has brought them
            ...             self.data.setup("fit")
            ...             self.words = sorted(self.data.training_words())
            ...
            ...     def configure_model(self):
            ...         self.model = keras.layers.Embedding(len(self.words), 8)
            ...
            ...     def state_dict(self):
            ...         return {"words": self.words}
            ...
            ...     def load_state_dict(self, state):
            ...         self.words = state["words"]
        """
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what `state_dict` returned; not called where that was empty.

        `from_checkpoint` and every entry point with a `ckpt_path` call it before `setup` and
        `configure_model`; variables follow when all is built.

        Args:
            state: As of the task that wrote the checkpoint.

        Raises:
            ConfigurationError: The class has no way to take it.
        """
        raise ConfigurationError(
            f"{type(self).__name__} has no load_state_dict, but the checkpoint holds "
            f"{', '.join(state)} of the task that wrote it; write one that takes them."
        )

    # ---- a trained task as files

    def export(self, path: str | os.PathLike[str], format: str = "saved_model") -> Path:
        """Write the trained models in a form that others can load.

        Args:
            path: A folder for ``saved_model``, a file for the rest, or the URL of one; nothing may
                be there yet.
            format: ``saved_model`` (TensorFlow alone runs it; see `export_saved_model`), ``keras``,
                ``onnx`` (needs ``lightning-tf[onnx]``), ``litert`` (TensorFlow Lite), all of
                `exported_model`; or ``safetensors``, every variable of the task.

        Returns:
            The path that was written, with the format's suffix; of a URL, to which it is uploaded,
            the working copy on this disk.

        Raises:
            ConfigurationError: The models are not made yet, the format is unknown or needs a
                package, or something is at the path.

        Example:
            >>> task.export("digits", format="keras")
            PosixPath('digits.keras')
        """
        target = check_export(path, format)
        if not self.configured or unbuilt_layers(self):
            raise ConfigurationError(
                "export before the models are made: call Trainer.fit, Trainer.test or "
                "from_checkpoint first."
            )

        # What TensorFlow tells of its files a notebook would show twice.
        with only_warnings(logging.getLogger("tensorflow")):
            if format == "saved_model":
                self.export_saved_model(target)
            elif format == "safetensors":
                export_weights(self, target)
            else:
                export_model(self.exported_model(), target, format)
        stored(target)
        return target

    def exported_model(self) -> keras.Model:
        """Return the model that `export` writes: `self.model`, unless overridden."""
        model = getattr(self, "model", None)
        if not isinstance(model, keras.Model):
            raise ConfigurationError(
                f"{type(self).__name__} has no attribute `model`; return what is to be exported "
                "from exported_model."
            )
        return model

    def export_saved_model(self, path: Path) -> None:
        """Write a SavedModel; `exported_model` with an endpoint ``serve`` unless overridden."""
        export_model(self.exported_model(), path, "saved_model")

    def describe(self, max_examples: int = 100_000) -> DataReport:
        """Return what the task's data are and how they were understood, before any training.

        Args:
            max_examples: To look at, of each split.

        Raises:
            ConfigurationError: The task has no data.

        Example:
            >>> report = task.describe()
            >>> print(report)  # sizes, classes and their balance, ranges, what is missing or twice
            >>> report.save("inspected")  # with an image of examples
        """
        data = self.resolve_data()
        if data is None:
            raise ConfigurationError(
                f"{type(self).__name__} has no data to describe; give it some."
            )
        return DataReport(data, max_examples)

    def quantize(self, mode: str = "int8") -> None:
        """Quantise the weights of trained models to small integers, in place, for prediction.

        Only layers that Keras can quantise change: Dense, EinsumDense, Embedding and their kin.
        Nothing can be trained afterwards; `Trainer.test` before and after shows what it costs.

        Args:
            mode: ``int8``, or another one of `keras.Model.quantize`.

        Raises:
            ConfigurationError: The models are not made yet, or have no layer that can be quantised.
        """
        models = [part for _, part in components(self) if isinstance(part, keras.Model)]
        before = sum(v.dtype == "int8" for model in models for v in model.variables)

        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Layer .* does not have a `quantize` method")
            for model in models:
                model.quantize(mode)

        if before == sum(v.dtype == "int8" for model in models for v in model.variables):
            raise ConfigurationError(
                f"quantize({mode!r}): {type(self).__name__} has no built layer that Keras can "
                "quantise; those are Dense, EinsumDense, Embedding and their kin."
            )

    # ---- what a subclass calls

    @property
    def trainer(self) -> Trainer:
        """The Trainer that drives this task."""
        if self._trainer is None:
            raise ConfigurationError(
                f"{type(self).__name__}.trainer is known only while a Trainer drives the task."
            )
        context = current_step_context()
        if context is None or context.reads is None:
            return self._trainer
        return cast("Trainer", TracedTrainer(self._trainer, context.reads))

    @property
    def metrics(self) -> dict[str, Any]:
        """The current stage's copies of what `configure_metrics` returned, by name."""
        return self._metrics

    @property
    def host_metrics(self) -> Mapping[str, HostMetric]:
        """The copies of `configure_host_metrics` of the evaluation that runs or ran last, by name.

        For a callback that shows more of them than numbers, at the earliest in
        ``on_validation_epoch_end`` or ``on_test_epoch_end``. They hold nothing in the sanity check.
        """
        return self._host_metrics

    def update_metrics(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Update every metric of the current stage; half precision of `y_pred` becomes float32."""
        halves = (tf.float16, tf.bfloat16)
        y_pred = tf.nest.map_structure(
            lambda part: tf.cast(part, tf.float32) if part.dtype in halves else part, y_pred
        )
        for metric in self._metrics.values():
            metric.update_state(y_true, y_pred, sample_weight=sample_weight)

    def log(self, name: str, value: Any, prog_bar: bool = False, **lightning: Any) -> None:
        """Log a value under a Keras name.

        Args:
            name: Such as ``gradient_penalty``; evaluation adds ``val_`` or ``test_``.
            value: A scalar tensor inside a step (the mean over the batch's examples; the Trainer
                weights batches by their examples), or a number inside a host hook.
            prog_bar: Whether the progress bar shows it.
            lightning: Refused by name: what Lightning's `log` takes and this one need not know.

        Raises:
            ConfigurationError: There is another argument; the value is no scalar; the step has
                logged the name before (a loss that `minimize` computes repeatedly may, and the last
                value stands); or, once the step is traced, the name is another's: a loss's, a
                metric's, another stage's.
        """
        for option in lightning:
            known = {name: f" {reason}." for name, reason in LOG_OPTIONS.items()}
            remedy = known.get(option) or nearest(option, ["name", "value", "prog_bar"])
            raise ConfigurationError(f"log({name!r}) takes no {option}.{remedy}")

        step = current_step_context()
        if step is None or step.logged is None:  # a host hook
            self.trainer.log_metrics({name: value})
        else:
            step.log(name, value)
        if self._trainer is not None and prog_bar:
            self._trainer.show_in_progress_bar(name)

    def collect(self, name: str, outputs: Any) -> None:
        """Hand tensors of a step's examples to the host, inside evaluation steps.

        Host metrics get them, and hooks of batches (`on_validation_batch_end`). Where there are
        none, nothing is computed for it, and nothing leaves the device. A step that returns
        ``{"loss": loss, "predictions": predictions}`` does the same.

        Args:
            name: Under which `HostMetric.update` gets them.
            outputs: A dense tensor, or a nest of them; first dimension the examples, the others
                known.

        Raises:
            ConfigurationError: Called outside `validation_step` and `test_step`, twice with one
                name, or with a number for the whole batch.
        """
        step = current_step_context()
        if step is None or step.logged is None or step.minimize is not None:
            raise ConfigurationError(
                f"collect({name!r}) works only inside validation_step and test_step."
            )
        step.collect(name, outputs, f"collect({name!r})")

    def minimize(self, name: str, loss_fn: LossFunction, when: Any = None) -> tf.Tensor:
        """Do forward, gradients and update of one optimizer at once, inside `training_step`.

        For schemes that need several updates in a step, such as the critic of WGAN-GP. The update
        passes through the same precision, accumulation, clipping and distribution as a returned
        loss. The loss is logged as ``{name}_loss``, the mean where a step minimizes it repeatedly.
        Under accumulation an optimizer updates once in a step at most: a second update would start
        from weights that have not moved yet.

        Args:
            name: A key of the dict that `configure_optimizers` returned.
            loss_fn: Computes the scalar loss.
            when: A boolean scalar, such as ``self.trainer.global_step % 2 == 0``; where it is False
                nothing of the optimizer moves, neither weights and slots nor its schedule, and an
                average of the weights does not count. The loss is computed and logged all the
                same. On several replicas all that have examples must say True: a condition on
                examples differs between them.

        Returns:
            The loss, before the update.

        Raises:
            ConfigurationError: Called elsewhere or inside `tf.cond`, `when` is no boolean, or, when
                the step has been traced, several updates of one optimizer in a batch meet
                accumulation over batches.
        """
        step = current_step_context()
        if step is None or step.minimize is None:
            raise ConfigurationError("minimize works only inside training_step.")
        with step.computing_loss(name):
            return step.minimize(name, loss_fn, when)

    # ---- hooks: those of Callback, without (trainer, task)

    def setup(self, stage: str) -> None:
        """Run before all else of an entry point; stage is fit, validate, test or predict."""

    def teardown(self, stage: str) -> None:
        """Run after all else of an entry point."""


def _constructed(cls: type[Any], run: Mapping[str, Any], arguments: dict[str, Any]) -> Any:
    """Return a new task of what a checkpoint recorded, without data that are not at hand."""
    recorded = run["hparams"]
    may_lack = "data" in recorded and "data" not in arguments and cls.predicts_without_data(run)
    if may_lack and holds_a_type(recorded["data"]):
        arguments, may_lack = {**arguments, "data": None}, False  # it cannot be in a checkpoint
        log.info("%s from a checkpoint has no data, and predicts; data= gives some.", cls.__name__)
    positional, named = call_arguments(cls, recorded, arguments)
    try:
        return cls(*positional, **named)
    except (ConfigurationError, DataError) as error:
        if not may_lack:
            raise
        positional, named = call_arguments(cls, recorded, {**arguments, "data": None})
        task = cls(*positional, **named)  # raises what has nothing to do with the data
        log.warning(
            "%s from a checkpoint has no data to train or test on, and predicts: %s",
            cls.__name__,
            error,
        )
        return task


def load_states(task: Task, checkpoint: Checkpoint, *, of_data: bool = True) -> None:
    """Give a task and its data the states that a checkpoint holds, before models are made.

    Args:
        task: Of the class that wrote the checkpoint.
        checkpoint: What was read.
        of_data: Whether the data get theirs.

    Raises:
        CheckpointError: The task or its data cannot take the state; names the class and the reason.
    """
    owners: dict[str, Any] = {"task_state": task}
    if of_data and isinstance(task.data, DataModule):
        owners["data_state"] = task.data
    for entry, owner in owners.items():
        state = checkpoint.run.get(entry)
        if not state:
            continue
        try:
            owner.load_state_dict(put_arrays(state, checkpoint.tensors))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            reason = str(error) if isinstance(error, ConfigurationError) else repr(error)
            raise CheckpointError(
                f"{checkpoint.path}: {type(owner).__name__} cannot take its {entry}: {reason}"
            ) from error
