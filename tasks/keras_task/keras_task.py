"""KerasTask: a Keras model that someone already compiles and fits, under the Trainer."""

import logging
from collections.abc import Mapping
from functools import partial
from typing import Any, cast

import keras
import tensorflow as tf

from lightning_tf.checks import checked_integer
from lightning_tf.data.data_module import DataModule
from lightning_tf.data.sources.new_examples import NewExamples
from lightning_tf.exceptions import ConfigurationError, DataError
from lightning_tf.keras_compile_internals import OutputLosses, OutputMetric
from lightning_tf.step_context import current_step_context
from lightning_tf.tasks.common.fused_batch_norm_task import FusedBatchNormTask
from lightning_tf.tasks.keras_task.batch_parts import BatchParts, only, symbolic_output, targets_for
from lightning_tf.tasks.keras_task.class_weights import ClassWeights
from lightning_tf.tasks.keras_task.compile_choices import (
    named_metrics,
    output_losses,
    output_metrics,
)
from lightning_tf.tasks.keras_task.fit_data import (
    brings_sets,
    evaluation_options,
    fit_data,
    prediction_inputs,
)
from lightning_tf.tasks.keras_task.model_checks import (
    check_model,
    compiled_arguments,
    refuse_config_limits,
)
from lightning_tf.tasks.keras_task.own_methods import OwnMethods
from lightning_tf.variables import owned_metrics

log = logging.getLogger("lightning_tf")


BY_SHAPES = ("loss", "metrics", "weighted_metrics")  # what Keras chooses by those of the outputs


class KerasTask(FusedBatchNormTask):
    """Trains a model with losses, an optimizer and metrics, as `Model.fit` does.

    A batch is ``x``, ``(x, y)`` or ``(x, y, sample_weight)``, each of them an array or, for several
    inputs or outputs, a dict or tuple of arrays; a weight multiplies its example's loss, and the
    loss is the sum over the batch divided by the number of examples, as in Keras. Losses, their
    weights and metrics of several outputs are given by the outputs' names, as a list, or as a nest.
    What layers add to the loss (regularisers, ``add_loss``) is added in training and evaluation,
    and a model's own `compute_loss` and `compute_metrics` are called. `metrics` count every example
    alike, `weighted_metrics` by its weight.

    Args:
        model: A Keras model. If it is compiled, `loss`, `optimizer` and metrics that are not given
            are the compiled ones.
        loss: A name, a function of (y_true, y_pred), a Keras loss, or a dict, list or nest of
            these.
        optimizer: A name, a Keras optimizer or its configuration; only fit needs one.
        metrics: Names, functions or Keras metrics, or these by output; None is the compiled ones.
        data: Arrays ``(x, y)`` or ``(x, y, sample_weight)``, or ``x`` alone; batches of such
            tuples: a tf.data.Dataset, a `keras.utils.PyDataset`, a torch DataLoader, a list, or a
            function that returns an iterator; a Dataset or DatasetDict of HuggingFace; or a
            DataModule. None where the entry points are given some.
        loss_weights: A number for each loss, like `loss`.
        weighted_metrics: Like `metrics`.
        validation_data: Arrays or batches like `data`, also where `data` are of the other kind.
        test_data: The same; `Trainer.predict` predicts these.
        validation_split: Share of the arrays, their last part as in fit, to hold out for
            validation.
        val_fraction: Share of the arrays to hold out for validation, chosen by seed.
        class_weight: Factors of the training examples' weights by class, as ``{0: 1.0, 1: 3.0}``.
        batch_size: Examples in a batch of arrays; None is 32.
        validation_batch_size: Examples in a batch of validation arrays; None is `batch_size`.
        steps_per_epoch: Training batches of an epoch; the next one goes on in the data.
        initial_epoch: The number of the first epoch; `max_epochs` of the Trainer is that of the
            last one.
        columns: Of HuggingFace's data sets, the inputs: a name, or several for a dict of inputs.
        label_columns: Of HuggingFace's data sets, the targets.
        shuffle: Whether arrays, or the batches of a PyDataset or a list, come in another order in
            every epoch; None is True.
        drop_remainder: Whether an incomplete last training batch of arrays is left out.
        fused_batch_norm: Whether BatchNormalization layers compute with TensorFlow's fused
            operation while a Trainer drives the task: faster, equal up to rounding; see
            `FusedBatchNormTask`.

    Raises:
        ConfigurationError: There are no data, the model has a step of its own, or an option does
            not go with the data; or, when a run begins, there is no loss or optimizer, or
            `keras.config` limits fit.

    Example:
        >>> model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        >>> Trainer(max_epochs=5).fit(KerasTask(model, data=(x, y), validation_data=(x_val, y_val)))
    """

    allows_frozen = True
    brings_weights = True

    def __init__(
        self,
        model: keras.Model,
        loss: Any = None,
        optimizer: Any = None,
        metrics: Any = None,
        data: Any = None,
        *,
        loss_weights: Any = None,
        weighted_metrics: Any = None,
        validation_data: Any = None,
        test_data: Any = None,
        validation_split: float | None = None,
        val_fraction: float | None = None,
        class_weight: Mapping[int, float] | None = None,
        batch_size: int | None = None,
        validation_batch_size: int | None = None,
        steps_per_epoch: int | None = None,
        initial_epoch: int = 0,
        columns: Any = None,
        label_columns: Any = None,
        shuffle: bool | None = None,
        drop_remainder: bool | None = None,
        fused_batch_norm: bool = True,
    ) -> None:
        check_model(model)
        self.fused_batch_norm = fused_batch_norm
        self.model = model
        self._own = OwnMethods(model)
        self._parts = BatchParts(model)

        given = {
            "loss": loss,
            "loss_weights": loss_weights,
            "optimizer": optimizer,
            "metrics": metrics,
            "weighted_metrics": weighted_metrics,
        }
        compiled = compiled_arguments(model)
        if loss is not None:
            compiled.pop("loss_weights", None)  # those of another loss
        self._compile = {n: compiled.get(n) if v is None else v for n, v in given.items()}
        try:
            self._optimizer = keras.optimizers.get(self._compile["optimizer"])
        except ValueError as error:
            raise ConfigurationError(f"optimizer={optimizer!r}: Keras says {error}") from error

        self._class_weights = None if class_weight is None else ClassWeights(class_weight)
        self.initial_epoch = checked_integer("initial_epoch", initial_epoch, least=0)
        self._data_options = {
            "validation_split": validation_split,
            "val_fraction": val_fraction,
            "batch_size": batch_size,
            "validation_batch_size": validation_batch_size,
            "steps_per_epoch": steps_per_epoch,
            "columns": columns,
            "label_columns": label_columns,
            "shuffle": shuffle,
            "drop_remainder": drop_remainder,
        }
        given = {"data": data, "validation_data": validation_data, "test_data": test_data}
        if any(part is not None for part in given.values()):
            self.data = fit_data(given, self._data_options)

    def configure_data(self, splits: dict[str, Any]) -> DataModule:
        """Return data that an entry point is given, as the constructor would take them."""
        if any(brings_sets(part) for part in splits.values()):
            return super().configure_data(splits)
        held_out = splits.get("test", splits.get("predict"))
        given = {"data": splits.get("train"), "validation_data": splits.get("val")}
        options = (
            self._data_options
            if "train" in splits
            else evaluation_options(splits, self._data_options)
        )
        return fit_data({**given, "test_data": held_out}, options)

    @property
    def can_predict(self) -> bool:
        """Whether the model is built: with its weights, it needs no fit."""
        is_own = type(self).configure_model is not KerasTask.configure_model
        return self.configured or (self.model.built and not is_own)

    def new_examples(self, data: Any) -> NewExamples:
        """Return examples to predict: arrays or batches as `data`, or lists of numbers.

        Raises:
            ConfigurationError: They are none of these.
            DataError: They are empty, or hold NaN or infinity.
        """
        return super().new_examples(prediction_inputs(data))

    def setup(self, stage: str) -> None:
        """Refuse to fit without an optimizer."""
        if stage == "fit" and self._optimizer is None:
            raise ConfigurationError(
                f"KerasTask: model {self.model.name!r} is not compiled and optimizer is None; give "
                "one."
            )
        super().setup(stage)

    def configure_model(self) -> None:
        """Build what only a batch can build, and choose losses by the shapes."""
        refuse_config_limits()

        # A batch's specs alone: no data are read, and the model is built by a symbolic call.
        x, y, weight = self._parts.symbolic(self._element_spec())
        self._names = getattr(self.model, "output_names", None)
        self._shapes: Any = y, None, weight
        self.loss: OutputLosses | None = None
        if not self.model.built or any(self._compile[name] for name in BY_SHAPES):
            y_pred = only(symbolic_output(self.model, x))
            self._shapes = targets_for(y_pred, y), y_pred, targets_for(y_pred, weight)
            self._choose_losses(x)
        self.fuse_batch_norm()

    def _choose_losses(self, x: Any) -> None:
        loss, loss_weights = self._compile["loss"], self._compile["loss_weights"]
        if loss is not None and self._shapes[0] is not None:
            call = partial(self._own.loss, x) if self._own.compute_loss else None
            self.loss = output_losses(
                loss, loss_weights, self._names, self._shapes, self._log_loss, call
            )

    def _element_spec(self) -> Any:
        if self.data is None:  # a session checks it before; from_checkpoint does not
            raise ConfigurationError(
                "KerasTask is built to its data, and data is None; give some, a few are enough."
            )
        data = cast(DataModule, self.data)
        for stage in ("train", "val", "test", "predict"):
            dataset = data.dataset_for(stage)
            if isinstance(dataset, dict):  # several sets, each by itself
                dataset = next(iter(dataset.values()), None)
            if dataset is not None:
                return dataset.element_spec
        raise DataError(f"{type(data).__name__} has no data.")

    def configure_optimizers(self) -> keras.optimizers.Optimizer:
        """Return the optimizer of the constructor, or the compiled one."""
        if not self.model.trainable_variables:
            log.warning(
                "model %r has no trainable weights: it is measured and stays as it is.",
                self.model.name,
            )
        return self._optimizer

    def configure_metrics(self) -> dict[str, keras.metrics.Metric]:
        """Make the metrics of the constructor, or the compiled ones; and take the model's own."""
        choices = self._compile["metrics"], self._compile["weighted_metrics"]
        self._plain: dict[str, OutputMetric] = {}
        self._weighted: dict[str, OutputMetric] = {}
        if any(choices):
            self._outputs = output_metrics(*choices, self._names, self._shapes)
            self._plain, self._weighted = named_metrics(self._outputs)

        # What the model and its layers update themselves is reported as fit does.
        own = self._own.renamed({m.name: m for m in owned_metrics(self).values()})
        if both := own.keys() & {*self._plain, *self._weighted}:
            raise ConfigurationError(
                f"metrics: {min(both)!r} is compiled and one that model {self.model.name!r} or a "
                "layer of it has too; give one of them another name=."
            )
        compiled = {n: each.metric for n, each in {**self._plain, **self._weighted}.items()}
        return {**compiled, **own}

    def training_step(self, batch: Any) -> tf.Tensor:
        """Return the loss as Keras computes it, and what layers add."""
        return self._step(batch, training=True)

    def validation_step(self, batch: Any) -> tf.Tensor:
        """Return the loss as Keras computes it, and what layers add."""
        return self._step(batch, training=False)

    def predict_step(self, batch: Any) -> Any:
        """Return the model's output for inputs, with or without targets."""
        x, _, _ = self._parts(batch)
        if self._own.predict_step:
            return self.model.predict_step((x,) if tf.nest.is_nested(x) else x)  # as Keras packs it
        return only(self.model(x, training=False))

    def _step(self, batch: Any, training: bool) -> tf.Tensor:
        x, y, weight = self._parts(batch)
        if training and self._class_weights is not None:
            weight = self._class_weights.of(y, weight)

        y_pred = only(self.model(x, training=training))
        parts = x, targets_for(y_pred, y), targets_for(y_pred, weight)
        loss = self._loss_of(parts, y_pred, training)
        if self._own.compute_metrics:
            self._own.measure(self.metrics, self._update_compiled, parts, y_pred)
        else:
            self._update_compiled(parts[1], y_pred, parts[2])
        return loss

    def _loss_of(self, parts: tuple[Any, Any, Any], y_pred: Any, training: bool) -> tf.Tensor:
        if self._own.compute_loss:
            x, y, weight = parts
            own: tf.Tensor = self._own.loss(x, self.loss, y, y_pred, weight, training)
            return own

        if self.loss is None and self._compile["loss"] is not None:
            raise ConfigurationError(
                f"loss={self._compile['loss']!r} and no targets: the data give inputs alone; give "
                "(x, y)."
            )
        losses = [] if self.loss is None else [self.loss(parts[1], y_pred, parts[2])]
        losses += [tf.reduce_sum(loss) for loss in self.model.losses]
        if not losses:
            raise ConfigurationError(
                f"KerasTask: loss is None and no layer of {self.model.name!r} adds any; give one."
            )
        return tf.add_n([tf.cast(loss, tf.float32) for loss in losses])

    def _log_loss(self, name: str, value: Any) -> None:
        if current_step_context() is not None:  # else it is the symbolic call
            self.log(name, value)

    def _update_compiled(self, y: Any, y_pred: Any, weight: Any) -> None:
        """Update the stage's copies of compiled metrics, each with its output's values."""
        if not {**self._plain, **self._weighted}:
            return

        # Keras' own calls, not update_metrics: a cast would lose the mask that y_pred carries.
        targets, outputs = self._outputs.flatten(y), self._outputs.flatten(y_pred)
        weights = [None] * len(targets) if weight is None else self._outputs.flatten(weight)
        if len(weights) < len(targets):
            weights = weights[:1] * len(targets)  # one for all outputs, as in Keras
        for name, each in self._plain.items():
            self._update(name, each, targets, outputs, [None] * len(targets))
        for name, each in self._weighted.items():
            self._update(name, each, targets, outputs, weights)

    def _update(self, name: str, each: OutputMetric, *values: list[Any]) -> None:
        if all(each.place < len(value) for value in values):  # outputs without targets have none
            y, y_pred, weight = (value[each.place] for value in values)
            self.metrics[name].update_state(y, y_pred, sample_weight=weight)
