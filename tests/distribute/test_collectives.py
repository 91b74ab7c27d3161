"""How many collective operations an update takes, counted as GPUs would have them.

Two CPUs get the strategy of two GPUs, whose sums are collectives; nothing of it is run.
"""

import math

import keras
import numpy as np
import pytest
from helpers.boring import quiet

from lightning_tf import Callback, Trainer
from lightning_tf.distribute import choose_placement
from lightning_tf.distribute.gradient_reduction import BYTES_PER_PACK
from lightning_tf.layers import FusedBatchNormalization
from lightning_tf.tasks import KerasTask
from lightning_tf.tensorflow_internals import make_mirrored_strategy

VALUES = 8  # bytes of a loss and of the examples


class CountedError(Exception):
    """Enough is traced."""


@pytest.fixture
def collectives(monkeypatch):
    """Return a function that traces a model's window, and gives the graph of a batch."""
    keys = iter(range(900_000, 10**9, 10_000))
    monkeypatch.setattr(
        choose_placement,
        "get_mirrored_strategy",
        lambda names: make_mirrored_strategy([name.lstrip("/") for name in names], next(keys)),
    )
    windows = []

    class Stops(Callback):
        def on_train_start(self, trainer, task):
            windows.append(trainer.state.fit_loop.window)
            raise CountedError

    def trace(model, **arguments):
        data = np.zeros((8, *model.input_shape[1:]), "float32"), np.zeros((8, 1), "float32")
        task = KerasTask(model, "mse", "sgd", data=data, batch_size=4)
        fixed = {"accelerator": "cpu", "devices": 2, "max_epochs": 1, "callbacks": [Stops()]}
        with pytest.raises(CountedError):
            Trainer(**quiet(**fixed, **arguments)).fit(task)
        return windows[-1].graph

    return trace


def sent(graph):
    """Return the bytes that each replica sends by each collective outside of branches."""
    tensors = [
        op.inputs[0]
        for op in graph.get_operations()
        if op.type.startswith("CollectiveReduce") and op.device.endswith("CPU:0")
    ]
    return [tensor.dtype.size * int(np.prod(tensor.shape)) for tensor in tensors]


def sent_in_branches(graph):
    """Return how many collectives all functions that a graph calls have for each replica."""
    nodes = [n for function in graph.as_graph_def().library.function for n in function.node_def]
    return sum(node.op.startswith("CollectiveReduce") for node in nodes) // 2


def mlp(*units):
    return keras.Sequential([keras.Input((4,)), *(keras.layers.Dense(n) for n in units)])


def weight_bytes(model):
    return 4 * sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


def test_small_gradients_and_the_losses_are_one_collective(collectives):
    model = mlp(8, 8, 1)
    graph = collectives(model)
    assert sent(graph) == [weight_bytes(model) + VALUES]
    assert sent_in_branches(graph) == 0


def test_large_gradients_go_in_packs_of_32_mib_and_the_losses_in_the_first(collectives):
    model = mlp(*[2200] * 5, 1)  # four kernels of 19 MB
    packs = sent(collectives(model))
    assert sum(packs) == weight_bytes(model) + VALUES
    assert len(packs) == math.ceil(weight_bytes(model) / BYTES_PER_PACK)
    kernel, bias = 4 * 2200 * 2200, 4 * 2200  # the last layer has one column and one bias
    assert packs[0] == VALUES + (4 + bias) + 2 * (bias + kernel)


def test_accumulated_gradients_are_one_collective_an_update(collectives):
    graph = collectives(mlp(8, 8, 1), accumulate_grad_batches=2)
    assert sent(graph) == [VALUES]
    assert sent_in_branches(graph) == 1  # in the branch of the update


@pytest.mark.slow
def test_a_synchronized_layer_adds_one_collective_forward_and_one_backward(collectives):
    def network(layers):
        x = inputs = keras.Input((6, 6, 3))
        for _ in range(layers):
            x = FusedBatchNormalization()(keras.layers.Conv2D(3, 3)(x))
        return keras.Model(inputs, keras.layers.Dense(1)(keras.layers.Flatten()(x)))

    without, one, two = (len(sent(collectives(network(layers)))) for layers in range(3))
    assert (without, one, two) == (1, 3, 5)
