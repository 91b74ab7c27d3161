"""KerasTask: a Keras model that someone already compiles and fits, under the Trainer."""

import logging
from collections.abc import Iterator, Mapping
from typing import Any

import keras
import tensorflow as tf

from lightning_tf.data.array_data import ArrayData
from lightning_tf.data.data_module import DataModule
from lightning_tf.data.sources.dataset_pair import DatasetPair
from lightning_tf.data.sources.order_options import take_order_options, with_order
from lightning_tf.data.sources.python_batches import is_python_batches
from lightning_tf.exceptions import ConfigurationError, DataError
from lightning_tf.keras_internals import compiled_loss_weights, compiled_metrics
from lightning_tf.tasks.common.fused_batch_norm_task import FusedBatchNormTask
from lightning_tf.tasks.keras_task.compile_choices import loss_object, metric_objects, single_loss
from lightning_tf.variables import owned_metrics

log = logging.getLogger("lightning_tf")

# What fit calls of a model and a Trainer does not.
OWN_STEPS = (
    *("train_step", "test_step", "predict_step", "compute_loss", "compute_metrics"),
    *("make_train_function", "make_test_function", "make_predict_function"),
    *("metrics", "reset_metrics", "get_metrics_result"),
)
# What limits fit, and the Trainer's argument for it.
CONFIG_LIMITS = {"max_epochs": "max_epochs", "max_steps_per_epoch": "limit_train_batches"}


class KerasTask(FusedBatchNormTask):
    """Trains a model of one output with a loss, an optimizer and metrics, as `Model.fit` does.

    A batch is ``(x, y)`` or ``(x, y, sample_weight)``; a weight multiplies its example's loss, and
    the loss is the sum over the batch divided by the number of examples, as in Keras. What layers
    add to the loss (regularisers, ``add_loss``) is added in training and evaluation. `metrics`
    count every example alike, `weighted_metrics` by its weight.

    Args:
        model: A Keras model. If it is compiled, `loss`, `optimizer` and metrics that are not given
            are the compiled ones.
        loss: A name, a function of (y_true, y_pred), or a Keras loss.
        optimizer: A name, a Keras optimizer or its configuration.
        metrics: Names, functions or Keras metrics; None is the compiled ones.
        data: Arrays ``(x, y)`` or ``(x, y, sample_weight)``; batches of such tuples: a
            tf.data.Dataset, a `keras.utils.PyDataset`, a torch DataLoader, a list, or a function
            that returns an iterator; or a DataModule.
        weighted_metrics: Like `metrics`.
        validation_data: Arrays or a dataset like `data`.
        test_data: Arrays or a dataset like `data`.
        val_fraction: Share of the arrays to hold out for validation, chosen by seed.
        batch_size: Examples in a batch of arrays; None is 32.
        shuffle: Whether arrays, or the batches of a PyDataset or a list, come in another order in
            every epoch; None is True.
        drop_remainder: Whether an incomplete last training batch of arrays is left out.
        fused_batch_norm: Whether BatchNormalization layers compute with TensorFlow's fused
            operation while a Trainer drives the task: faster, equal up to rounding; see
            `FusedBatchNormTask`.

    Raises:
        ConfigurationError: There is no loss, optimizer or data, the model has several outputs or a
            step of its own, or an option does not go with the data; or, when a run begins,
            `keras.config` limits fit.

    Example:
        >>> model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        >>> Trainer(max_epochs=5).fit(KerasTask(model, data=(x, y), validation_data=(x_val, y_val)))
    """

    data: DataModule

    def __init__(
        self,
        model: keras.Model,
        loss: Any = None,
        optimizer: Any = None,
        metrics: Any = None,
        data: Any = None,
        *,
        weighted_metrics: Any = None,
        validation_data: Any = None,
        test_data: Any = None,
        val_fraction: float | None = None,
        batch_size: int | None = None,
        shuffle: bool | None = None,
        drop_remainder: bool | None = None,
        fused_batch_norm: bool = True,
    ) -> None:
        _check_model(model)
        self.fused_batch_norm = fused_batch_norm
        self.model = model

        compiled = _compiled(model)
        self._loss = single_loss(compiled.get("loss") if loss is None else loss)
        self._optimizer = compiled.get("optimizer") if optimizer is None else optimizer
        self._metric_choices = (
            compiled.get("metrics") if metrics is None else metrics,
            compiled.get("weighted_metrics") if weighted_metrics is None else weighted_metrics,
        )
        if self._optimizer is None:
            raise ConfigurationError(
                f"KerasTask: model {model.name!r} is not compiled and optimizer is None; give one."
            )
        try:
            self._optimizer = keras.optimizers.get(self._optimizer)
        except ValueError as error:
            raise ConfigurationError(f"optimizer={optimizer!r}: Keras says {error}") from error

        # Arrays have one y; weights travel beside it.
        self._weighted_arrays = isinstance(data, (tuple, list)) and len(data) == 3
        self.data = _data_module(
            data,
            {"validation_data": validation_data, "test_data": test_data},
            val_fraction,
            batch_size,
            {"shuffle": shuffle, "drop_remainder": drop_remainder},
        )

    def configure_model(self) -> None:
        """Build what only a batch can build, and choose the loss by the shapes."""
        _refuse_config_limits()

        # A batch's specs alone: no data are read, and the model is built by a symbolic call.
        dataset = self.data.dataset_for("train")
        if dataset is None:
            raise DataError(f"{type(self.data).__name__} has no training data.")

        x_spec, self._y_spec, _ = self._parts(dataset.element_spec)
        self._y_pred = self._output(x_spec)
        self.loss = None
        if self._loss is not None:
            self.loss = loss_object(self._loss, self._y_spec, self._y_pred)
        self.fuse_batch_norm()

    def configure_optimizers(self) -> keras.optimizers.Optimizer:
        """Return the optimizer of the constructor, or the compiled one."""
        return self._optimizer

    def configure_metrics(self) -> dict[str, keras.metrics.Metric]:
        """Make the metrics of the constructor, or the compiled ones; and take the model's own."""
        metrics, weighted_metrics = self._metric_choices
        plain = metric_objects(metrics, self._y_spec, self._y_pred)
        weighted = metric_objects(weighted_metrics, self._y_spec, self._y_pred, plain)
        self._weighted_names, self._compiled_names = set(weighted), {*plain, *weighted}

        # What the model and its layers update themselves is reported as fit does.
        own = {metric.name: metric for metric in owned_metrics(self).values()}
        if both := own.keys() & self._compiled_names:
            raise ConfigurationError(
                f"metrics: {min(both)!r} is compiled and one that model {self.model.name!r} or a "
                "layer of it has too; give one of them another name=."
            )
        return {**plain, **weighted, **own}

    def training_step(self, batch: Any) -> tf.Tensor:
        """Return the loss as Keras computes it, and what layers add."""
        return self._step(batch, training=True)

    def validation_step(self, batch: Any) -> tf.Tensor:
        """Return the loss as Keras computes it, and what layers add."""
        return self._step(batch, training=False)

    def predict_step(self, batch: Any) -> Any:
        """Return the model's output for inputs, with or without targets."""
        output = self.model(self._parts(batch)[0], training=False)
        return output if isinstance(output, Mapping) else _only(output)

    def _step(self, batch: Any, training: bool) -> tf.Tensor:
        x, y, weight = self._parts(batch)
        y_pred = _only(self.model(x, training=training))

        # Keras' own calls, not update_metrics: a cast would lose the mask that y_pred carries.
        compiled = {n: m for n, m in self.metrics.items() if n in self._compiled_names}
        for name, metric in compiled.items():
            metric.update_state(
                y, y_pred, sample_weight=weight if name in self._weighted_names else None
            )

        losses = [tf.cast(loss, tf.float32) for loss in self.model.losses]
        if self.loss is not None:
            losses.append(tf.cast(self.loss(y, y_pred, sample_weight=weight), tf.float32))
        if not losses:
            raise ConfigurationError(
                f"KerasTask: loss is None and no layer of {self.model.name!r} adds any; give one."
            )
        return tf.add_n(losses)

    def _parts(self, batch: Any) -> tuple[Any, Any, Any]:
        """Return x, y and sample weight; what a batch lacks is None."""
        if not isinstance(batch, (tuple, list)) or self._is_inputs(batch):
            return batch, None, None
        x, y, weight = (*batch, None, None)[:3]
        y = _only(y) if isinstance(y, Mapping) else y
        return (x, *y) if self._weighted_arrays and y is not None else (x, y, weight)

    def _is_inputs(self, batch: Any) -> bool:
        """Return whether a batch is the inputs alone, of a model of several: with y, x is one."""
        inputs = getattr(self.model, "inputs", None) or ()
        return len(batch) == len(inputs) > 1 and not tf.nest.is_nested(batch[0])

    def _output(self, x_spec: Any) -> Any:
        """Return the symbolic output; the call builds a model that nothing has built yet."""
        if absent := [s for s in tf.nest.flatten(x_spec) if not hasattr(s, "shape")]:
            raise ConfigurationError(
                f"an input of model {self.model.name!r} is a {type(absent[0]).__name__}, which "
                "stands for None; give a tensor for each input."
            )
        output = _only(
            self.model(
                tf.nest.map_structure(lambda x: keras.KerasTensor(x.shape, x.dtype.name), x_spec)
            )
        )
        if not isinstance(output, keras.KerasTensor):
            raise ConfigurationError(
                f"model {self.model.name!r} gives a {type(output).__name__} of "
                f"{len(tf.nest.flatten(output))} outputs; KerasTask drives models of one output. "
                "Write a Task for several."
            )
        return output


def _only(output: Any) -> Any:
    """Return the one item of a list or dict, as ``keras.Model(inputs, [outputs])`` gives it."""
    is_one = isinstance(output, (list, tuple, Mapping)) and len(output) == 1
    return tf.nest.flatten(output)[0] if is_one else output


def _check_model(model: Any) -> None:
    if not isinstance(model, keras.Model):
        raise ConfigurationError(f"model is a {type(model).__name__}; give a keras.Model.")
    check_own_steps(model)


def check_own_steps(model: keras.Model) -> None:
    """Refuse a model with methods of its own that fit calls and the Trainer would not.

    Raises:
        ConfigurationError: Names the model and the method.
    """
    # keras-hub's tasks and others derive from keras.Model; only these methods count.
    for method in OWN_STEPS:
        is_own = getattr(type(model), method) is not getattr(keras.Model, method)
        if is_own or method in vars(model):
            raise ConfigurationError(
                f"model {model.name!r} has a {method} of its own, which the Trainer would not "
                "call; write a Task with this training_step, and its metrics in configure_metrics."
            )


def _compiled(model: Any) -> dict[str, Any]:
    """Return what a model was compiled with; Keras 3.15 keeps it in private attributes."""
    if not model.compiled:
        return {}

    if model.run_eagerly:
        log.warning(
            "model %r is compiled with run_eagerly=True: a Trainer runs its steps as graphs all "
            "the same. To look into one, call task.training_step(batch) in a hook.",
            model.name,
        )
    metrics, weighted_metrics = compiled_metrics(model)
    if compiled_loss_weights(model) is not None:
        raise ConfigurationError(
            f"model {model.name!r} is compiled with loss_weights; put the weight into the loss."
        )

    return {
        "loss": model.loss,
        "optimizer": model.optimizer,
        "metrics": metrics,
        "weighted_metrics": weighted_metrics,
    }


def _refuse_config_limits() -> None:
    """Refuse limits of `keras.config`, which fit obeys and a Trainer does not read."""
    for name, argument in CONFIG_LIMITS.items():
        limit = getattr(keras.config, name)()
        if limit is not None:
            raise ConfigurationError(
                f"keras.config.{name}() is {limit}, which limits fit and no Trainer: take it back "
                f"by keras.config.set_{name}(None), and give Trainer({argument}={limit})."
            )


def _data_module(
    data: Any,
    held_out: dict[str, Any],
    val_fraction: float | None,
    batch_size: int | None,
    chosen: dict[str, Any],
) -> DataModule:
    options = {name: value for name, value in chosen.items() if value is not None}
    order = take_order_options(options)
    if isinstance(data, (tuple, list)) and len(data) in (2, 3):
        # As Keras: nothing is held out unless asked for.
        if val_fraction is None and held_out["validation_data"] is None:
            val_fraction = 0.0
        arrays = ArrayData(
            *_pair("data", data, len(data)),
            val=_pair("validation_data", held_out["validation_data"], len(data)),
            test=_pair("test_data", held_out["test_data"], len(data)),
            val_fraction=val_fraction,
            batch_size=32 if batch_size is None else batch_size,
        )
        return with_order(arrays, order)

    extra = {"val_fraction": val_fraction, "batch_size": batch_size}
    if isinstance(data, tf.data.Dataset) or is_python_batches(data) or isinstance(data, Iterator):
        _refuse(extra, f"a {type(data).__name__}, which brings its own batches")
        shuffle = {}
        if isinstance(data, (keras.utils.PyDataset, list)) and "shuffle" in order:
            shuffle = {"shuffle": order.pop("shuffle")}
        batches = DatasetPair(data, held_out["validation_data"], held_out["test_data"], **shuffle)
        return with_order(batches, order)
    if isinstance(data, DataModule):
        _refuse({**extra, **held_out, **order}, f"a {type(data).__name__}, which brings its own")
        return data
    raise ConfigurationError(
        f"data is a {type(data).__name__}; give arrays (x, y) or (x, y, sample_weight), a batched "
        "tf.data.Dataset, a PyDataset, a torch DataLoader, a list of batches, a function that "
        "returns an iterator of them, or a DataModule. Of HuggingFace's give dataset.to_tf_dataset."
    )


def _pair(name: str, arrays: Any, length: int) -> Any:
    """Return arrays as (x, y), or as (x, (y, sample_weight))."""
    if arrays is None:
        return None

    if not isinstance(arrays, (tuple, list)) or len(arrays) != length:
        raise ConfigurationError(
            f"{name} must be a tuple of {length} arrays like data, got {type(arrays).__name__}"
            f"{f' of {len(arrays)}' if isinstance(arrays, (tuple, list)) else ''}."
        )
    return tuple(arrays) if length == 2 else (arrays[0], tuple(arrays[1:]))


def _refuse(options: dict[str, Any], reason: str) -> None:
    for name, value in options.items():
        if value is not None:
            raise ConfigurationError(f"{name}={value!r} has no meaning: data is {reason}.")
