"""What this package uses of Keras that Keras does not promise to keep.

Each function says what breaks without it. All were checked with Keras 3.15.1; raising the cap in
pyproject.toml is the review of this file, and tests/test_keras_internals.py fails where Keras has
changed. TensorFlow's are in tensorflow_internals.py.
"""

import random
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import keras
import tensorflow as tf
from keras.src.backend.common import global_state
from keras.src.losses import loss as loss_module
from keras.src.random import seed_generator
from keras.src.random.seed_generator import GLOBAL_SEED_GENERATOR
from keras.src.utils import file_utils
from keras.src.utils.tracking import Tracker

# By its path: a function of the same name stands before it.
rnn: Any = import_module("keras.src.backend.tensorflow.rnn")
tensorflow_random: Any = import_module("keras.src.backend.tensorflow.random")

# ---- keras.applications


@contextmanager
def imagenet_structure(path: str | None) -> Iterator[None]:
    """Let ``weights="imagenet"`` of keras.applications load a file, or nothing, without a download.

    EfficientNetB0 to B7 have a layer more with ``imagenet`` than with a file or None: the same
    weights would give other features.

    Args:
        path: Of the file; None leaves the weights random.
    """
    get_file, load_weights = file_utils.get_file, keras.Model.load_weights
    file_utils.get_file = lambda *args, **kwargs: path
    if path is None:
        keras.Model.load_weights = lambda *args, **kwargs: None
    try:
        yield
    finally:
        file_utils.get_file, keras.Model.load_weights = get_file, load_weights


# ---- layers


@contextmanager
def without_cudnn() -> Iterator[None]:
    """Let recurrent layers leave out cuDNN's kernels, inside the block, as where there is no GPU.

    Keras takes them wherever TensorFlow sees a GPU, also in a step that is placed on the CPU, which
    would then fail.
    """
    before = rnn._is_gpu_available
    rnn._is_gpu_available = lambda: False
    try:
        yield
    finally:
        rnn._is_gpu_available = before


def flat_layers(
    layer: keras.Layer, *, include_self: bool = True, recursive: bool = True
) -> list[keras.Layer]:
    """Return a layer and the layers in it, each before what is in it.

    `Model.layers` stops at nested models, lists and wrappers: frozen layers, BatchNormalization and
    unfreezing would miss those.
    """
    return list(layer._flatten_layers(include_self=include_self, recursive=recursive))


def sublayers(layer: keras.Layer) -> list[keras.Layer]:
    """Return the layers that a layer tracks itself; only models have a public list."""
    return list(layer.layers if isinstance(layer, keras.Model) else layer._layers)


def ever_trainable(layer: keras.Layer) -> list[keras.Variable]:
    """Return a layer's own variables that train unless the layer is frozen.

    Optimizers are built over these, so that unfreezing keeps their slots; the public list is empty
    for a frozen layer.
    """
    return list(layer._trainable_variables)


def producing_layer(tensor: keras.KerasTensor) -> keras.Layer:
    """Return the layer that a symbolic tensor comes from; Grad-CAM and FID look for the last."""
    return tensor._keras_history.operation


@contextmanager
def kept_outputs(layers: Mapping[str, keras.Layer]) -> Iterator[dict[str, Any]]:
    """Keep what layers give inside the block, the last call of each, by their keys.

    A layer inside a nested model has no output that another model could be made of: feature maps of
    a backbone would be out of reach. Keras calls `layer.call`, which an attribute of the object
    hides; outside of a traced function only.

    Args:
        layers: Different ones.
    """
    outputs: dict[str, Any] = {}
    before = {key: layer.__dict__.get("call") for key, layer in layers.items()}  # a hook of others

    def keeping(key: str, layer: keras.Layer) -> Callable[..., Any]:
        call = layer.call

        def keep(*args: Any, **kwargs: Any) -> Any:
            outputs[key] = call(*args, **kwargs)
            return outputs[key]

        return keep

    for key, layer in layers.items():
        layer.__dict__["call"] = keeping(key, layer)
    try:
        yield outputs
    finally:
        for key, layer in layers.items():
            if before[key] is None:
                del layer.__dict__["call"]
            else:
                layer.__dict__["call"] = before[key]


def track_variable(layer: keras.Layer, variable: keras.Variable) -> None:
    """Let a layer own a variable that is made already; `add_weight` makes a new one."""
    layer._track_variable(variable)


def change_class(layer: keras.Layer, kind: type[keras.Layer]) -> None:
    """Make a layer one of another class, with its weights and everybody who holds it.

    Only between classes that differ in `call` alone. A clone would be another object: frozen
    layers, optimizers and models of a user's own class would go on with the old one.
    """
    layer.__class__ = kind


# ---- variables


def wrapped_variable(variable: Any) -> Any:
    """Return TensorFlow's variable inside one of Keras, past Keras' casts; others as they are.

    Its public `value` is cast under mixed precision: checkpoints would hold half of the bits.
    """
    return variable._value if isinstance(variable, keras.Variable) else variable


def initialize_again(variable: keras.Variable, value: Any) -> None:
    """Make what a variable wraps anew, in the strategy's scope that is current.

    A variable stays for ever in the scope that it was made in: a model made before the Trainer
    could not train on several devices.
    """
    variable._initialize(value)


# ---- metrics


def tracked_metrics(layer: keras.Layer) -> list[keras.metrics.Metric]:
    """Return the metrics among a layer's own attributes.

    The public list has those of sublayers too, and of a model those that it is compiled with.
    """
    return list(layer._metrics)


def copy_variable(variable: keras.Variable) -> keras.Variable:
    """Return a variable of the same name and value, in the strategy's scope that is current.

    Keras copies none: `copy.deepcopy` of a metric goes by its configuration.
    """
    copied = object.__new__(type(variable))
    vars(copied).update(vars(variable))
    value = wrapped_variable(variable)
    strategy = getattr(value, "distribute_strategy", None)
    if strategy is not None:  # one copy: reading the whole is refused in another's scope
        value = strategy.experimental_local_results(value)[0]
    initialize_again(copied, value.numpy())
    return copied


def is_tracker(value: Any) -> bool:
    """Return whether a value is what knows the variables and metrics among the attributes."""
    return isinstance(value, Tracker)


def copy_tracker(tracker: Any, copied: Callable[[list[Any]], list[Any]]) -> Any:
    """Return a tracker of copies; the same one would write their variables to the original.

    Args:
        tracker: Of the original.
        copied: Returns the copy of a list of what is tracked.
    """
    stores = {name: (test, copied(store)) for name, (test, store) in tracker.config.items()}
    fresh = Tracker(stores, tracker.exclusions)
    fresh.stored_ids = {name: {id(item) for item in store} for name, (_, store) in stores.items()}
    return fresh


# ---- optimizers


def learning_rate_of(optimizer: keras.optimizers.Optimizer) -> Any:
    """Return an optimizer's variable or schedule; the public property gives the rate of a step."""
    return optimizer._learning_rate


def current_rate(optimizer: keras.optimizers.Optimizer) -> float:
    """Return the learning rate of the next update; on several devices each has a copy of it."""
    return float(tf.convert_to_tensor(optimizer.learning_rate))


def optimized_variables(optimizer: keras.optimizers.Optimizer) -> list[Any]:
    """Return what a built optimizer has slots for; a slot's kind is what its name adds to theirs.

    Checkpoints name slots by their kind, because Keras' own names differ between processes.
    """
    return list(optimizer._trainable_variables)


def move_optimizer(optimizer: keras.optimizers.Optimizer) -> None:
    """Let an optimizer, whose variables have moved, work in the scope that is current.

    It remembers the strategy that it was made in, and finds its slots by what the model's variables
    wrap, which has moved: it would refuse the variables, or take them for new ones.
    """
    for inner in getattr(optimizer, "optimizers", ()):  # of a MultiOptimizer
        move_optimizer(inner)
    optimizer._distribution_strategy = tf.distribute.get_strategy()
    if optimizer.built:
        optimizer._trainable_variables_indices = {
            optimizer._var_key(variable): i
            for i, variable in enumerate(optimizer._trainable_variables)
        }


def decays_weight(optimizer: keras.optimizers.Optimizer, variable: Any) -> bool:
    """Return whether an optimizer's weight decay reaches a variable."""
    return bool(optimizer._use_weight_decay(variable))


def slot_index(optimizer: keras.optimizers.Optimizer, variable: Any) -> int:
    """Return the position of a variable's slots in each of `slots`."""
    return int(optimizer._get_variable_index(variable))


MOMENTS = "_momentums", "_velocities"  # of Adam
SLOT_ATTRIBUTES: dict[type, Callable[[Any], tuple[str, ...]]] = {
    keras.optimizers.Adam: lambda optimizer: MOMENTS,
    keras.optimizers.AdamW: lambda optimizer: MOMENTS,
    keras.optimizers.SGD: lambda optimizer: ("momentums",) if optimizer.momentum else (),
}
"""The slots that each of these keeps, by attribute; the multi-tensor update works on them."""


@contextmanager
def replaced_update(
    optimizer: keras.optimizers.Optimizer, update: Callable[..., None]
) -> Iterator[None]:
    """Let `optimizer.apply` call `update` inside the block, not its own steps and weight decay.

    Keras updates variable by variable: Adam over 82 small ones is more than half of a step.
    """
    # On the instance, past Keras' tracking of attributes, and gone when the update is traced.
    attributes: dict[str, Any] = {
        "_apply_weight_decay": lambda variables: None,
        "_backend_update_step": update,
    }
    vars(optimizer).update(attributes)
    try:
        yield
    finally:
        for name in attributes:
            del vars(optimizer)[name]


@contextmanager
def regrouped_update(
    optimizer: keras.optimizers.Optimizer,
    grouped: Callable[[Any], list[tuple[float, list[int]]]],
) -> Iterator[None]:
    """Let `optimizer.apply` decay and update group by group, each with a rate of its own.

    Keras has one rate for all variables; weight decay reads it from the optimizer, and an update
    may. Calls of `apply` for each group would count an update several times.

    Args:
        optimizer: Of Keras.
        grouped: Returns, for variables, factors of the rate and positions.
    """

    def update(gradients: Any, variables: Any, rate: Any) -> None:
        gradients, variables = list(gradients), list(variables)
        base = optimizer._learning_rate
        for factor, members in grouped(variables):
            group = [variables[i] for i in members]
            scaled = _scaled_rate(optimizer, base, factor)
            vars(optimizer)["_learning_rate"] = scaled
            try:
                type(optimizer)._apply_weight_decay(optimizer, group)
                type(optimizer)._backend_update_step(
                    optimizer, [gradients[i] for i in members], group, scaled()
                )
            finally:
                vars(optimizer)["_learning_rate"] = base

    with replaced_update(optimizer, update):
        yield


def _scaled_rate(
    optimizer: keras.optimizers.Optimizer, base: Any, factor: float
) -> Callable[[], Any]:
    def rate() -> Any:
        if isinstance(base, keras.optimizers.schedules.LearningRateSchedule):
            value = base(optimizer._iterations)
        else:
            value = base if isinstance(base, keras.Variable) or not callable(base) else base()
        value = tf.convert_to_tensor(value)
        return value * tf.cast(factor, value.dtype)

    return rate


@contextmanager
def unreduced_gradients(optimizer: keras.optimizers.Optimizer) -> Iterator[None]:
    """Let `optimizer.apply` on a replica take its gradients as the sums of all, in the block.

    Keras adds gradients up over replicas itself: those that are summed already would count several
    times.
    """
    parts = [optimizer, *getattr(optimizer, "optimizers", ())]
    for part in parts:
        vars(part)["_all_reduce_sum_gradients"] = list
    try:
        yield
    finally:
        for part in parts:
            del vars(part)["_all_reduce_sum_gradients"]


# ---- random numbers


def global_seed_generator() -> keras.random.SeedGenerator | None:
    """Return what keras.random draws from where no seed is given; None before the first such call.

    Keras makes it once in a process and never seeds it again: a second run with the same seed, and
    a resumed one, would draw other numbers.
    """
    return global_state.get_global_attribute(GLOBAL_SEED_GENERATOR)


def forget_global_seed_generator() -> None:
    """Have the next unseeded draw make a new generator, as the first of a process does."""
    global_state.set_global_attribute(GLOBAL_SEED_GENERATOR, None)


def set_global_seed_generator(generator: keras.random.SeedGenerator) -> None:
    """Give this thread a generator for unseeded draws.

    Keras makes one for each thread at its first draw; a replica is traced in a thread of its own,
    where making one fails.
    """
    global_state.set_global_attribute(GLOBAL_SEED_GENERATOR, generator)


@contextmanager
def watched_default_seeds(draw: Callable[[int, int], int]) -> Iterator[None]:
    """Let Keras call `draw` for random.randint where it seeds a generator without a seed.

    It takes such seeds from Python's random: without this nobody could tell them from numbers that
    a user's step draws there.
    """
    seed_generator.python_random = SimpleNamespace(randint=draw)
    try:
        yield
    finally:
        seed_generator.python_random = random


@contextmanager
def replaced_next(replace: Callable[[Callable[..., Any], Any, bool], Any]) -> Iterator[None]:
    """Let `replace` stand for SeedGenerator.next inside the block.

    Args:
        replace: From what it replaces, the generator, and whether seeds come in order, to a seed.
    """
    draw = keras.random.SeedGenerator.next

    def changed(generator: Any, ordered: bool = True) -> Any:
        return replace(draw, generator, ordered)

    keras.random.SeedGenerator.next = changed
    try:
        yield
    finally:
        keras.random.SeedGenerator.next = draw


@contextmanager
def replaced_draw(change: Callable[[tf.Tensor], tf.Tensor]) -> Iterator[None]:
    """Pass every seed that a SeedGenerator gives inside the block through `change`.

    Keras keeps a generator's state equal on all replicas: all would draw the same dropout masks.
    """
    with replaced_next(lambda draw, generator, ordered: change(draw(generator, ordered))):
        yield


@contextmanager
def seeds_cast_on(device: str) -> Iterator[None]:
    """Let Keras cast seeds to int32 on a device, inside the block.

    It keeps them in int64, for a GPU has no variables of int32, and casts them at each draw.
    """
    cast = tensorflow_random._cast_seed

    def cast_there(seed: tf.Tensor) -> tf.Tensor:
        with tf.device(device):
            return cast(seed)

    tensorflow_random._cast_seed = cast_there
    try:
        yield
    finally:
        tensorflow_random._cast_seed = cast


# ---- losses


@contextmanager
def losses_of_each_thread() -> Iterator[None]:
    """Give each thread, inside the block, its own lists of what layers add to the loss.

    Replicas are traced in threads that take turns wherever values are reduced over them, inside a
    synchronized batch normalization for one; in a list that they share, a replica would clear the
    losses of the one before and find another's.
    """
    keras.Layer._losses = _of_each_thread(list)
    # Those of the losses that are a layer's own, which Keras looks up inside a StatelessScope.
    keras.Layer._loss_ids = _of_each_thread(set)
    try:
        yield
    finally:
        del keras.Layer._losses, keras.Layer._loss_ids


def _of_each_thread(empty: type) -> property:
    """Make an attribute with a value for each thread; it goes before the one a layer has itself."""
    values: dict[tuple[int, int], Any] = defaultdict(empty)

    def get(layer: keras.Layer) -> Any:
        return values[threading.get_ident(), id(layer)]

    def put(layer: keras.Layer, value: Any) -> None:
        values[threading.get_ident(), id(layer)] = value

    return property(get, put)


@contextmanager
def undivided_losses() -> Iterator[None]:
    """Let Keras' loss objects give the mean over the examples they see, inside the block too.

    Under a strategy they divide it by the number of replicas, which the shards of a batch need not
    agree with; the Trainer weighs a loss by the shard's examples instead.
    """
    divide = loss_module.scale_loss_for_distribution
    multiply = loss_module.unscale_loss_for_distribution
    loss_module.scale_loss_for_distribution = lambda loss: loss
    loss_module.unscale_loss_for_distribution = lambda loss: loss
    try:
        yield
    finally:
        loss_module.scale_loss_for_distribution = divide
        loss_module.unscale_loss_for_distribution = multiply
