import numpy as np
import pytest
import tensorflow as tf

from lightning_tf.distribute.replica_batch import ReplicaBatch
from lightning_tf.exceptions import ConfigurationError


def cut_in_graph(batch, spec, replicas):
    """The parts of a batch whose length the graph does not know, on numbers it does not know."""
    cut = tf.function(
        lambda whole, index: tuple(vars(ReplicaBatch.cut(whole, index, replicas)).values())[:3],
        input_signature=[spec, tf.TensorSpec([], tf.int32)],
    )
    return [cut(batch, tf.constant(index)) for index in range(replicas)]


@pytest.mark.parametrize("replicas", [1, 2, 3, 4])
@pytest.mark.parametrize("count", [1, 2, 3, 4, 7, 12])
def test_parts_are_contiguous_even_and_add_up(count, replicas):
    batches = cut_in_graph(tf.range(count), tf.TensorSpec([None], tf.int32), replicas)
    counted = [batch.numpy()[: int(examples)] for batch, examples, _ in batches]
    assert np.concatenate(counted).tolist() == list(range(count))
    sizes = [len(replica) for replica in counted]
    assert max(sizes) - min(sizes) <= 1
    assert sum(float(fraction) for _, _, fraction in batches) == pytest.approx(1.0)
    for batch, examples, fraction in batches:
        assert len(batch) == max(int(examples), 1)  # never empty
        assert float(fraction) == pytest.approx(float(examples) / count)


def test_shapes_that_are_known_stay_known():
    replica = ReplicaBatch.cut((tf.zeros([7, 3]), tf.zeros([7])), 1, 2)
    assert [piece.shape.as_list() for piece in replica.batch] == [[3, 3], [3]]
    assert not replica.may_be_idle
    assert ReplicaBatch.cut(tf.zeros([1, 3]), 1, 2).may_be_idle


def test_a_scalar_goes_to_every_replica_whole():
    replica = ReplicaBatch.cut({"x": tf.range(5), "z_step": tf.constant(9)}, 1, 2)
    assert replica.batch["x"].numpy().tolist() == [3, 4]
    assert int(replica.batch["z_step"]) == 9


def test_ragged_and_sparse_rows():
    ragged = tf.ragged.constant([[1], [2, 3], [], [4]])
    rows = cut_in_graph(ragged, tf.RaggedTensorSpec([None, None], tf.int32), 3)
    assert [batch.to_list() for batch, _, _ in rows] == [[[1], [2, 3]], [[]], [[4]]]
    sparse = ragged.to_sparse()
    rows = cut_in_graph(sparse, tf.SparseTensorSpec([None, None], tf.int32), 3)
    dense = [tf.sparse.to_dense(batch).numpy().tolist() for batch, _, _ in rows]
    assert dense == [[[1, 0], [2, 3]], [[0, 0]], [[4, 0]]]


def test_tensors_of_different_lengths_are_refused():
    with pytest.raises(ConfigurationError, match="Found 4 and 3"):
        ReplicaBatch.cut((tf.zeros([4]), tf.zeros([3])), 0, 2)
    spec = tuple(tf.TensorSpec([None]) for _ in range(2))
    with pytest.raises(tf.errors.InvalidArgumentError, match="different numbers of examples"):
        cut_in_graph((tf.zeros([4]), tf.zeros([3])), spec, 2)
