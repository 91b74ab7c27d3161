"""Batches that are cut from blocks are the batches that a gather for each would give."""

import numpy as np
import pytest
import tensorflow as tf

from lightning_tf.data.pipeline import gathered_batches
from lightning_tf.data.pipeline.array_source import ArraySource


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of three batches of four, so that few examples pass through every kind of piece."""
    monkeypatch.setattr(gathered_batches, "BLOCK_BYTES", 3 * 4 * (8 + 8))


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 11, 12, 13, 24, 26, 28, 30])
def test_every_example_comes_once_and_in_order(small_blocks, count):
    x, y = np.arange(40), np.arange(40) * 10
    indices = np.random.RandomState(0).permutation(40)[:count]
    batches = list(ArraySource(x, y).batches(indices, 4).as_numpy_iterator())
    assert [len(bx) for bx, _ in batches] == [4] * (count // 4) + [count % 4] * (count % 4 > 0)
    seen = [(int(a), int(b)) for bx, by in batches for a, b in zip(bx, by, strict=True)]
    assert seen == [(i, i * 10) for i in indices]


def test_the_element_spec_is_the_same_for_any_split_of_an_epoch(small_blocks):
    source = ArraySource(np.zeros((40, 2), np.float32), np.arange(40))
    specs = {str(source.batches(np.arange(n), 4).element_spec) for n in (0, 1, 4, 12, 13, 40)}
    assert len(specs) == 1
    assert source.batches(np.arange(4), 4).element_spec[0].shape.as_list() == [None, 2]


def test_the_number_of_batches_is_known():
    assert len(ArraySource(np.arange(40)).batches(np.arange(30), 4)) == 8


def test_inputs_come_without_targets_and_nests_are_kept():
    source = ArraySource({"a": np.arange(6), "b": np.ones((6, 2))}, np.arange(6))
    (first, *_) = source.inputs(np.array([5, 1]), 4).as_numpy_iterator()
    assert first["a"].tolist() == [5, 1]
    assert first["b"].shape == (2, 2)


def test_strings_can_be_examples():
    source = ArraySource(np.array(["one", "two"]))
    (batch,) = source.inputs(np.array([1]), 4).as_numpy_iterator()
    assert batch.tolist() == [b"two"]


def test_arrays_are_not_written_into_the_graph(small_blocks):
    source = ArraySource(np.zeros((1000, 1000), np.float32))
    graph = source.batches(np.arange(1000), 1)._as_serialized_graph(
        external_state_policy=tf.data.experimental.ExternalStatePolicy.WARN
    )
    node_names = tf.compat.v1.GraphDef.FromString(graph.numpy())
    functions = node_names.library.function
    constants = [n for f in functions for n in f.node_def if n.op == "Const"]
    assert all(node.attr["value"].tensor.ByteSize() < 1000 for node in constants)


def test_empty_examples_pass_through_blocks_too(small_blocks):
    source = ArraySource({"a": np.arange(40), "b": np.zeros((40, 0))}, np.arange(40))
    batches = list(source.batches(np.arange(40), 4).as_numpy_iterator())
    assert [y.tolist() for _, y in batches] == np.arange(40).reshape(10, 4).tolist()
    assert {x["b"].shape for x, _ in batches} == {(4, 0)}
