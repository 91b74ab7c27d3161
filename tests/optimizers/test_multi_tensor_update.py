"""Grouped updates against Keras' own, number by number."""

from contextlib import nullcontext

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import NumberData, NumberTask, fitted, named
from helpers.variants import slow_but

from lightning_tf.distribute.choose_placement import choose_placement
from lightning_tf.distribute.single_device import SingleDevice
from lightning_tf.optimizers.multi_tensor_update import use_multi_tensor_update
from lightning_tf.optimizers.packed_slots import LARGEST_IN_A_GROUP, group_variables
from lightning_tf.optimizers.variable_rates import VariableRates

# Some of a shape, which are stacked, with others between them.
SHAPES = [(), (3,), (4, 5), (LARGEST_IN_A_GROUP + 1,), (2, 3, 2), (LARGEST_IN_A_GROUP,)]
SHAPES += [(4, 5), (), (3,), (4, 5)]
OPTIMIZERS = {
    "adam": lambda: keras.optimizers.Adam(0.01),
    "adam of a schedule": lambda: keras.optimizers.Adam(
        keras.optimizers.schedules.CosineDecay(0.01, 6)
    ),
    "adamw": lambda: keras.optimizers.AdamW(0.01, weight_decay=0.1, beta_1=0.8, epsilon=1e-5),
    "sgd": lambda: keras.optimizers.SGD(0.1),
    "momentum": lambda: keras.optimizers.SGD(0.1, momentum=0.9, weight_decay=0.01),
    "nesterov": lambda: keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True),
    "amsgrad": lambda: keras.optimizers.Adam(0.01, amsgrad=True),
    "rmsprop": lambda: keras.optimizers.RMSprop(0.01),
}


def after_updates(make, placement, is_grouped, shapes=SHAPES, updates=5, dtype="float32"):
    random = np.random.RandomState(0)
    with placement.scope():
        variables = [keras.Variable(random.randn(*s), dtype=dtype, name=f"v{i}")
                     for i, s in enumerate(shapes)]  # fmt: skip
        optimizer = make()
        optimizer.build(variables)

    @tf.function
    def update(*gradients):
        # As NamedOptimizer gets them: a copy on every replica.
        copies = placement.each(lambda: [tf.identity(gradient) for gradient in gradients])
        with placement.apply_context():
            if is_grouped:
                with use_multi_tensor_update(optimizer, placement, None):
                    optimizer.apply(copies, variables)
            else:
                optimizer.apply(copies, variables)

    with placement.scope():
        for _ in range(updates):
            update(*(tf.constant(random.randn(*s), dtype) for s in shapes))
    state = [*variables, *optimizer.variables]
    with placement.scope():
        strategy = tf.distribute.get_strategy()
    copies = [[np.asarray(c) for c in strategy.experimental_local_results(v.value)] for v in state]
    for first, *others in copies:
        for other in others:
            np.testing.assert_array_equal(first, other)
    return [first for first, *_ in copies]


@pytest.mark.parametrize("name", slow_but(OPTIMIZERS, "adamw", "nesterov", "rmsprop"))
def test_grouped_updates_are_those_of_keras_to_the_bit(name):
    placement = choose_placement("cpu", 1, "auto")
    ours = after_updates(OPTIMIZERS[name], placement, True)
    theirs = after_updates(OPTIMIZERS[name], placement, False)
    for one, their in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one, their)


@pytest.mark.parametrize("dtype", [pytest.param("float64", marks=pytest.mark.slow), "bfloat16"])
def test_variables_keep_their_dtype(dtype):
    placement = choose_placement("cpu", 1, "auto")
    ours = after_updates(OPTIMIZERS["adamw"], placement, True, dtype=dtype)
    theirs = after_updates(OPTIMIZERS["adamw"], placement, False, dtype=dtype)
    for one, their in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one.astype("float64"), their.astype("float64"))


@pytest.mark.distributed
@pytest.mark.parametrize("name", ["adamw", "nesterov"])
def test_every_replica_updates_its_own_copies(name):
    placement = choose_placement("cpu", 2, "auto")
    ours = after_updates(OPTIMIZERS[name], placement, True, updates=3)
    theirs = after_updates(OPTIMIZERS[name], choose_placement("cpu", 1, "auto"), False, updates=3)
    for one, their in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one, their)


def test_variables_left_out_of_weight_decay_stay_out():
    def make():
        optimizer = keras.optimizers.AdamW(0.01, weight_decay=0.5)
        optimizer.exclude_from_weight_decay(var_names=["v1", "v4"])
        return optimizer

    placement = choose_placement("cpu", 1, "auto")
    ours, theirs = (after_updates(make, placement, grouping) for grouping in (True, False))
    for one, their in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one, their)


@pytest.mark.parametrize("optimizer", [keras.optimizers.Adam(), keras.optimizers.SGD()], ids=named)
def test_the_optimizer_is_left_as_it_was(optimizer):
    before = dict(vars(optimizer))
    with use_multi_tensor_update(optimizer, choose_placement("cpu", 1, "auto"), None):
        assert vars(optimizer) != before
    assert vars(optimizer) == before


def test_many_small_variables_take_fewer_operations():
    def operations(count, is_grouped):
        placement = choose_placement("cpu", 1, "auto")
        variables = [keras.Variable(tf.ones(4)) for _ in range(count)]
        optimizer = keras.optimizers.Adam()
        optimizer.build(variables)

        @tf.function
        def update(gradient):
            with (
                use_multi_tensor_update(optimizer, placement, None) if is_grouped else nullcontext()
            ):
                optimizer.apply([gradient] * count, variables)

        return len(update.get_concrete_function(tf.ones(4)).graph.get_operations())

    ours, theirs = (operations(30, ours) - operations(10, ours) for ours in (True, False))
    assert ours < 0.4 * theirs


class Overlapping(NumberTask):
    """Small variables that are updated all together, then some of them alone."""

    def configure_model(self):
        self.first, self.second, self.third = (keras.Variable([1.0, 2.0]) for _ in range(3))

    def losses(self, x):
        yield lambda: tf.reduce_sum((self.first + self.second * self.third) ** 2) * x
        yield lambda: tf.reduce_sum(self.first**2 + self.third) * x
        yield lambda: tf.reduce_sum(self.second**3) * x

    def training_step(self, batch):
        for loss in self.losses(tf.reduce_mean(batch)):
            self.minimize("", loss)


@pytest.mark.parametrize("name", ["adamw", "nesterov"])
@pytest.mark.parametrize("every", [pytest.param(1, marks=pytest.mark.slow), 50])
def test_slots_are_where_keras_has_them_after_every_window(name, every):
    numbers = [0.02, 0.01, 0.04, 0.005, 0.03, 0.02]  # small: the losses are cubic
    task = Overlapping(NumberData(numbers), OPTIMIZERS[name]())
    trainer = fitted(task, max_epochs=1, log_every_n_steps=every)

    theirs = OPTIMIZERS[name]()
    other = Overlapping(NumberData(numbers), theirs)
    other.configure_model()
    variables = [other.first, other.second, other.third]
    theirs.build(variables)

    @tf.function
    def update(x):
        for loss in other.losses(x):
            with tf.GradientTape() as tape:
                value = loss()
            gradients = tape.gradient(value, [v.value for v in variables])
            pairs = [(g, v) for g, v in zip(gradients, variables, strict=True) if g is not None]
            theirs.apply(*zip(*pairs, strict=True))

    for number in numbers:
        update(tf.constant(number))
    ours = trainer.optimizers[""]
    for one, their in zip(
        [task.first, task.second, task.third, *ours.variables],
        [*variables, *theirs.variables],
        strict=True,
    ):
        np.testing.assert_allclose(one.value.numpy(), their.value.numpy(), rtol=1e-6)


class Breaking(NumberData):
    """The fourth batch cannot be read."""

    def train_dataset(self, epoch):
        def checked(batch):
            with tf.control_dependencies([tf.debugging.assert_less(batch, 4.0)]):
                return tf.identity(batch)

        return super().train_dataset(epoch).map(checked)


class TwoWeights(NumberTask):
    def configure_model(self):
        self.weight, self.other = keras.Variable(0.0), keras.Variable(0.0)

    def training_step(self, batch):
        return tf.reduce_mean(batch) * (self.weight + 2.0 * self.other)


def test_slots_go_with_the_weights_where_a_window_breaks():
    whole, broken = (
        TwoWeights(data([1.0, 2.0, 3.0, 4.0]), keras.optimizers.Adam(0.1))
        for data in (NumberData, Breaking)
    )
    optimizer = fitted(whole, max_steps=3).optimizers[""]
    failing = broken.configure_optimizers()
    with pytest.raises(tf.errors.InvalidArgumentError):
        fitted(broken, max_epochs=1)
    # Only the counter, which waits for no batch, may already stand at the fourth update.
    slots = [(a, b) for a, b in zip(failing.variables, optimizer.variables, strict=True)][2:]
    assert len(slots) == 4
    for one, their in slots:
        np.testing.assert_array_equal(one.value, their.value)
        assert float(one.value) != 0.0


def test_a_gpu_groups_what_a_cpu_updates_one_by_one():
    """There each operation is a launch."""
    optimizer = keras.optimizers.Adam()
    variables = [keras.Variable(np.zeros(shape, "float32")) for shape in [(3000,), (3, 1000), (5,)]]
    optimizer.build(variables)

    def groups(device):
        rates = VariableRates()
        return [m for m, _ in group_variables(optimizer, variables, rates, SingleDevice(device))]

    assert sorted(groups("/CPU:0")) == [[0], [1], [2]]
    assert sorted(groups("/GPU:0")) == [[0, 1, 2]]
