import logging

import pytest
import tensorflow as tf
from helpers.boring import NumberData, NumberTask, fitted

from lightning_tf.data.pipeline.shuffle_check import unrepeatable_order
from lightning_tf.seed import seed_everything

NUMBERS = tf.data.Dataset.range(8)
FIXED = {
    "seeded": NUMBERS.shuffle(8, seed=1),
    "unseeded": NUMBERS.shuffle(8),
    "kept": NUMBERS.shuffle(8, seed=1, reshuffle_each_iteration=False),
}


def generated():
    spec = tf.TensorSpec([], tf.float32)
    return tf.data.Dataset.from_generator(lambda: iter([1.0, 2.0]), output_signature=spec)


def in_numpy(x, **options):
    return tf.numpy_function(lambda x: x, [x], tf.int64, **options)


@pytest.fixture(params=[False, True], ids=["no global seed", "global seed"], autouse=True)
def global_seed(request):
    tf.random.set_seed(None)
    if request.param:
        seed_everything(3)
    yield
    tf.random.set_seed(None)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: NUMBERS.batch(2), ""),
        (lambda: NUMBERS.shuffle(8).batch(2), "without a seed"),
        (lambda: NUMBERS.shuffle(8, seed=5).map(lambda x: x + 1).batch(2).prefetch(1), ""),
        (lambda: tf.data.Dataset.zip(NUMBERS, NUMBERS.shuffle(8)).batch(2), "without a seed"),
        (lambda: FIXED["unseeded"].batch(2), "without a seed|whenever it is read"),
        (lambda: FIXED["seeded"].batch(2), "whenever it is read"),
        (lambda: FIXED["kept"].batch(2), ""),
        (lambda: generated().batch(2).repeat(), "calls Python"),
        (lambda: NUMBERS.map(lambda x: tf.py_function(float, [x], tf.float32)), "calls Python"),
        (lambda: tf.data.Dataset.zip(NUMBERS, NUMBERS.map(in_numpy)).batch(2), "calls Python"),
        (lambda: NUMBERS.map(lambda x: in_numpy(x, stateful=False)).batch(2), ""),
    ],
    ids=[
        "plain",
        "unseeded",
        "seeded anew",
        "in a zip",
        "kept unseeded",
        "reshuffles",
        "kept",
        "generator",
        "py_function",
        "numpy_function in a zip",
        "numpy_function without state",
    ],
)
def test_an_order_that_cannot_be_repeated_is_told(make, said):
    wrong = unrepeatable_order(make(), make)
    assert bool(wrong) == bool(said)
    assert any(part in wrong for part in said.split("|"))


def test_fit_warns_once(caplog):
    class Unseeded(NumberData):
        def train_dataset(self, epoch):
            return super().train_dataset(epoch).shuffle(4)

    with caplog.at_level(logging.WARNING, "lightning_tf"):
        fitted(NumberTask(Unseeded([1, 2, 3, 4])), max_epochs=3)
    assert caplog.text.count("cannot be exact") == 1
