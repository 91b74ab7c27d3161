"""Task: what a user subclasses; model, data and metrics in one object."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

import tensorflow as tf

from lightning_tf import checkpoint
from lightning_tf.callback import Callback
from lightning_tf.data.data_module import DataModule
from lightning_tf.exceptions import CheckpointError, ConfigurationError
from lightning_tf.hyperparameters import call_arguments, plain_arguments
from lightning_tf.precision import applied
from lightning_tf.running_step import running_step
from lightning_tf.variables import named_weights, unbuilt_layers

if TYPE_CHECKING:
    import keras

    from lightning_tf.trainer import Trainer

LossFunction = Callable[[], tf.Tensor]


class Task:
    """Model, data and metrics of one job; a single Trainer drives them all.

    A subclass makes its Keras models in `configure_model`, names its optimizers in
    `configure_optimizers` and computes losses in `training_step`. The steps are traced into a
    TensorFlow graph: use TensorFlow and Keras operations, and `tf.cond` or `tf.where` instead of
    a Python `if` on a tensor, as in a Keras layer.

    What a step returns is logged by itself: ``loss`` for a scalar, ``generator_loss`` and
    ``discriminator_loss`` for a dict; ``val_loss`` and ``test_loss`` in evaluation.

    Attributes:
        data: The data of the task.
        hparams: The constructor's arguments as plain data; an argument that is none (a model,
            arrays, a DataModule) is recorded as ``{"type": "package.Class"}``.
        configured: Whether `configure_model` has run.

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

    data: DataModule | None = None
    hparams: dict[str, Any]
    configured: bool
    _trainer: Trainer | None
    _metrics: dict[str, Any]
    _weights: Callable[[], None] | None

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Record the constructor's arguments before the subclass's own `__init__` runs."""
        task = super().__new__(cls)
        task.hparams = plain_arguments(cls, args, kwargs)
        task._trainer = task._weights = None
        task._metrics = {}
        task.configured = False
        return task

    def __init__(self) -> None:
        """A subclass takes plain data and stores it; heavy work belongs in the methods below."""

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
        tensors, run = checkpoint.load(path)
        written_by = str(run.get("task"))
        if written_by.rpartition(".")[2] not in {base.__name__ for base in cls.__mro__[:-2]}:
            raise CheckpointError(
                f"{path} was written by {written_by}, not by {cls.__name__}; call from_checkpoint "
                "on that class."
            )
        positional, named = call_arguments(cls, run["hparams"], arguments)
        task = cls(*positional, **named)
        with applied(run["precision"]):
            task.configure_model()
        task.configured = True
        task._weights = lambda: checkpoint.assign(named_weights(task), tensors, str(path))
        if not unbuilt_layers(task):
            task.take_weights()
        return task

    def take_weights(self) -> None:
        """Take the weights of `from_checkpoint`, once all is built; the Trainer calls it."""
        if self._weights is not None:
            self._weights()
            self._weights = None

    # ---- what a subclass fills in

    def configure_model(self) -> None:
        """Make Keras models as attributes; runs once, in the precision and placement of the run."""

    def configure_optimizers(self) -> Any:
        """Return one Keras optimizer, or a dict that names one for each trained attribute.

        A key of the dict is the name of the attribute whose trainable variables the optimizer
        updates: ``{"generator": Adam(), "discriminator": Adam()}``. A single optimizer owns all
        trainable variables of the task. `trainer.estimated_stepping_batches` is the number of
        updates to come, for schedules.
        """
        raise ConfigurationError(
            f"{type(self).__name__} has no configure_optimizers; return a keras optimizer from it."
        )

    def configure_metrics(self) -> dict[str, keras.metrics.Metric]:
        """Return one template, ``{"accuracy": keras.metrics.SparseCategoricalAccuracy()}``.

        Called once for each of train, val and test, so that each keeps separate values.
        """
        return {}

    def training_step(self, batch: Any) -> Any:
        """Return the loss of a batch, a mean over its examples; traced.

        Args:
            batch: One element of `data.train_dataset`.

        Returns:
            A scalar, or ``{"generator": scalar, "discriminator": scalar}`` with the names of the
            optimizers. All losses come from the weights as they were when the step began.
        """
        raise ConfigurationError(
            f"{type(self).__name__} has no training_step; return a scalar loss from it."
        )

    def validation_step(self, batch: Any) -> Any:
        """Return a loss, a dict of them, or None; traced."""
        raise ConfigurationError(
            f"{type(self).__name__} has validation data but no validation_step; "
            "write one, or pass Trainer(limit_val_batches=0)."
        )

    def test_step(self, batch: Any) -> Any:
        """As `validation_step`, which is the default."""
        return self.validation_step(batch)

    def predict_step(self, batch: Any) -> Any:
        """Return a tensor or a nest of tensors, first dimension the examples; traced."""
        raise ConfigurationError(f"{type(self).__name__} has no predict_step; write one.")

    def callbacks(self) -> list[Callback]:
        """Callbacks that this task brings along, such as sample pictures and plots."""
        return []

    # ---- what a subclass calls

    @property
    def trainer(self) -> Trainer:
        """The Trainer that drives this task."""
        if self._trainer is None:
            raise ConfigurationError(
                f"{type(self).__name__}.trainer is known only while a Trainer drives the task."
            )
        return self._trainer

    @property
    def metrics(self) -> dict[str, Any]:
        """The current stage's copies of what `configure_metrics` returned, by name."""
        return self._metrics

    def update_metrics(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Update every metric of the current stage; `y_pred` is taken in float32."""
        y_pred = tf.nest.map_structure(
            lambda part: tf.cast(part, tf.float32) if part.dtype.is_floating else part, y_pred
        )
        for metric in self._metrics.values():
            metric.update_state(y_true, y_pred, sample_weight=sample_weight)

    def log(self, name: str, value: Any, prog_bar: bool = False) -> None:
        """Log a value under a Keras name.

        Args:
            name: Such as ``gradient_penalty``; evaluation adds ``val_`` or ``test_``.
            value: A scalar tensor inside a step (the mean over the batch's examples; the Trainer
                weights batches by their examples), or a number inside a host hook.
            prog_bar: Whether the progress bar shows it.

        Raises:
            ConfigurationError: The value is no scalar.
        """
        if self._trainer is not None and prog_bar:
            self._trainer.prog_bar_metrics.add(name)
        step = running_step()
        if step is None or step.logged is None:
            self.trainer.log_metrics({name: float(value)})
            return
        value = tf.cast(value, tf.float32)
        if value.shape.rank != 0:
            raise ConfigurationError(
                f"log({name!r}) got a tensor of shape {value.shape}; log a scalar, as its mean."
            )
        step.logged[name] = value

    def minimize(self, name: str, loss_fn: LossFunction) -> tf.Tensor:
        """Do forward, gradients and update of one optimizer at once, inside `training_step`.

        For schemes that need several updates in a step, such as the critic of WGAN-GP. The update
        passes through the same precision, accumulation, clipping and distribution as a returned
        loss. The loss is logged as ``{name}_loss``, the mean where a step minimizes it repeatedly.

        Args:
            name: A key of the dict that `configure_optimizers` returned.
            loss_fn: Computes the scalar loss.

        Returns:
            The loss, before the update.
        """
        step = running_step()
        if step is None or step.minimize is None:
            raise ConfigurationError("minimize works only inside training_step.")
        return step.minimize(name, loss_fn)

    # ---- hooks: those of Callback, without (trainer, task)

    def setup(self, stage: str) -> None:
        """Before anything else of an entry point; stage is fit, validate, test or predict."""

    def teardown(self, stage: str) -> None:
        """After everything else of an entry point."""
