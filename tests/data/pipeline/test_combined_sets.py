import pytest
import tensorflow as tf

from lightning_tf.data import ArrayData
from lightning_tf.data.named_sets import named_sets
from lightning_tf.data.pipeline.combined_sets import MODES, combined_sets
from lightning_tf.exceptions import DataError
from lightning_tf.tensorflow_internals import repeats_for_ever

LENGTHS = {"a": 5, "b": 2, "c": 3}


def sets():
    return {
        name: tf.data.Dataset.range(100 * place, 100 * place + 2 * length).batch(2)
        for place, (name, length) in enumerate(LENGTHS.items())
    }


def plain(dataset):
    return [tf.nest.map_structure(lambda x: x.tolist(), b) for b in dataset.as_numpy_iterator()]


def test_each_mode_gives_what_its_name_says():
    lengths = {mode: len(combined_sets(sets(), mode, "m")) for mode in MODES}
    assert lengths == {"max_size_cycle": 5, "min_size": 2, "max_size": 5, "sequential": 10}

    cycled = plain(combined_sets(sets(), "max_size_cycle", "m"))
    assert [batch["b"][0] for batch in cycled] == [100, 102, 100, 102, 100]
    filled = plain(combined_sets(sets(), "max_size", "m"))
    assert [len(batch["b"]) for batch in filled] == [2, 2, 0, 0, 0]
    in_turn = plain(combined_sets(sets(), "sequential", "m"))
    assert [place for _, place in in_turn] == [0] * 5 + [1] * 2 + [2] * 3


@pytest.mark.parametrize("mode", MODES)
def test_from_any_batch_on_it_gives_the_rest(mode):
    whole = combined_sets(sets(), mode, "m")
    for start in range(len(whole) + 1):
        rest = combined_sets(sets(), mode, "m", start)
        assert plain(rest) == plain(whole)[start:], start
        assert rest.element_spec == whole.element_spec


@pytest.mark.parametrize("mode", ["max_size_cycle", "min_size", "max_size"])
def test_a_set_without_an_end_is_read_as_long_as_the_others_tell(mode):
    given = {**sets(), "d": tf.data.Dataset.range(4).batch(2).repeat()}
    combined = combined_sets(given, mode, "m", 7 if mode != "min_size" else 1)
    assert repeats_for_ever(combined) == (mode != "min_size")
    assert plain(combined.take(1))[0]["d"] == [2, 3]


@pytest.mark.parametrize(
    ("given", "mode", "message"),
    [
        ({"a": tf.data.Dataset.range(3).filter(lambda x: True)}, "max_size", "no known length"),
        ({"a": tf.data.Dataset.range(0)}, "min_size", "'a' is empty"),
        ([tf.data.Dataset.range(3).repeat(), tf.data.Dataset.range(3)], "sequential", "for ever"),
        (
            {"a": tf.data.Dataset.range(2), "b": tf.data.Dataset.from_tensors("text")},
            "sequential",
            "batches of one kind",
        ),
    ],
)
def test_what_a_mode_cannot_take_is_refused(given, mode, message):
    with pytest.raises(DataError, match=message):
        combined_sets(named_sets("m", given), mode, "m")


def test_sources_with_options_of_their_own_are_combined():
    arrays = ArrayData([[1.0], [2.0], [3.0]], val_fraction=0.0, batch_size=2)
    given = {"a": arrays.train_dataset(0), "b": tf.data.Dataset.range(3).batch(2).prefetch(1)}
    for mode in ("max_size_cycle", "min_size"):
        assert len(list(combined_sets(given, mode, "m"))) == 2
