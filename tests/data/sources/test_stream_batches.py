"""Sources that know their position: Grain, and streams of HuggingFace."""

import json

import numpy as np
import pytest
import tensorflow as tf
from helpers.streams import (
    RECORDS,
    Fitted,
    Records,
    Streams,
    as_stream,
    by_index,
    fitted,
    saved_and_resumed,
    stopped_and_resumed,
)

from lightning_tf import DataModule
from lightning_tf.data.sources.stream_batches import StreamBatches, is_stream
from lightning_tf.exceptions import DataError

grain = pytest.importorskip("grain")

LIMITED = {"limit_train_batches": 7, "max_epochs": 4}


def records_of(batches):
    return [batch["x"][:, 0].astype(int).tolist() for batch in batches.as_numpy_iterator()]


def all_of(batches):
    return sorted(record for batch in batches for record in batch)


@pytest.mark.slow
@pytest.mark.parametrize("make", [by_index, as_stream])
@pytest.mark.parametrize("limits", [{}, LIMITED])
def test_a_resumed_run_gets_the_bits_of_the_undisturbed_one(tmp_path, make, limits, caplog):
    whole, resumed = stopped_and_resumed(lambda: Streams(make), tmp_path, **limits)
    np.testing.assert_array_equal(resumed, whole)
    assert not caplog.text


def test_a_run_goes_on_from_a_checkpoint_inside_an_epoch(tmp_path, caplog):
    make_data = lambda: Streams(as_stream)  # noqa: E731
    limits = {"limit_train_batches": 7, "max_epochs": 2}
    whole, resumed = saved_and_resumed(make_data, tmp_path, step=11, **limits)
    np.testing.assert_array_equal(resumed, whole)
    assert not caplog.text


@pytest.mark.parametrize("make", [by_index, pytest.param(as_stream, marks=pytest.mark.slow)])
def test_a_data_set_of_grain_is_data_of_a_task(tmp_path, make, caplog):
    task_data = lambda: Fitted(make(0)).configure_data({"train": make(0)})  # noqa: E731
    whole, resumed = saved_and_resumed(task_data, tmp_path, max_epochs=2)
    np.testing.assert_array_equal(resumed, whole)
    assert not caplog.text


def test_no_record_that_was_read_before_is_read_again(tmp_path):
    read = []

    class Watched(Records):
        def __getitem__(self, place):
            read.append(place)
            return super().__getitem__(place)

    def make(epoch, seed):
        records = grain.MapDataset.source(Watched()).to_iter_dataset(grain.ReadOptions(1, 1))
        return records.batch(8)

    trainer, _ = fitted(Streams(make), max_epochs=1, max_steps=9)
    trainer.save_checkpoint(tmp_path / "checkpoint")
    read.clear()
    fitted(Streams(make), max_epochs=1, ckpt_path=tmp_path / "checkpoint")
    # The first two batches tell the shapes.
    assert set(read) - set(range(72, RECORDS)) <= set(range(18))


def test_the_state_in_a_checkpoint_is_that_of_the_next_untrained_batch(tmp_path):
    trainer, _ = fitted(Streams(as_stream), max_steps=3)
    trainer.save_checkpoint(tmp_path / "checkpoint")
    saved = json.loads((tmp_path / "checkpoint" / "run.json").read_text())["data_position"]
    assert (saved["epoch"], saved["batch"]) == (0, 3)
    state = json.loads(saved["workers"][0]["source"])["state"]
    iterator = iter(as_stream(0))
    for _ in range(3):
        next(iterator)
    assert state == json.loads(json.dumps(iterator.get_state(), default=int))


def test_a_shuffle_before_a_map_data_set_is_another_one_in_every_pass():
    batches = StreamBatches(grain.MapDataset.source(Records()).shuffle(seed=1).batch(8), "train")
    first, second = (records_of(batches.dataset(epoch)) for epoch in (0, 1))
    assert len(batches.dataset(0)) == 12
    assert first != second
    assert all_of(first) == all_of(second) == list(range(RECORDS))
    assert records_of(batches.dataset(1, start=5)) == second[5:]


@pytest.mark.slow
def test_a_map_data_set_that_repeats_for_ever_is_one_stream(tmp_path):
    def make(epoch, seed):
        return by_index(0).repeat()

    limits = {"max_epochs": 3, "limit_train_batches": 7}
    whole, resumed = stopped_and_resumed(lambda: Streams(make), tmp_path, **limits)
    np.testing.assert_array_equal(resumed, whole)


@pytest.mark.slow
def test_a_data_loader_of_grain_goes_on_where_it_stood(tmp_path):
    def make(epoch, seed):
        sampler = grain.samplers.IndexSampler(
            num_records=RECORDS,
            shuffle=True,
            seed=epoch,
            num_epochs=1,
            shard_options=grain.sharding.NoSharding(),
        )
        batch = [grain.transforms.Batch(8)]
        return grain.DataLoader(data_source=Records(), sampler=sampler, operations=batch)

    whole, resumed = stopped_and_resumed(lambda: Streams(make), tmp_path)
    np.testing.assert_array_equal(resumed, whole)


@pytest.mark.parametrize("buffer", [0, 20])
def test_a_stream_of_hugging_face_goes_on_where_it_stood(tmp_path, buffer):
    datasets = pytest.importorskip("datasets")
    records = {"x": [[float(n), 1.0] for n in range(RECORDS)], "y": [n % 7.0 for n in range(96)]}
    whole = datasets.Dataset.from_dict(records).to_iterable_dataset(num_shards=4)

    def make(epoch, seed):
        stream = whole.shuffle(seed=epoch, buffer_size=buffer) if buffer else whole
        return stream.with_format("numpy").batch(8)

    assert is_stream(make(0, 0))
    first, second = stopped_and_resumed(lambda: Streams(make), tmp_path)
    np.testing.assert_array_equal(first, second)


def test_evaluation_takes_grain_too():
    data = Streams(by_index)
    data.val_dataset = lambda: grain.MapDataset.source(Records()).batch(8)
    trainer, _ = fitted(data, max_epochs=1, limit_val_batches=1.0)
    assert trainer.callback_metrics["val_loss"] > 0.0


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (lambda: grain.MapDataset.source(Records()), "gives single examples"),
        (lambda: grain.MapDataset.range(0).batch(2), "gives no batch"),
    ],
)
def test_what_gives_no_batches_is_refused(source, message):
    with pytest.raises(DataError, match=message):
        StreamBatches(source(), "train")


def test_a_share_of_one_worker_is_sliced():
    class Sliced(DataModule):
        def train_shard(self, epoch, worker, count):
            records = grain.MapDataset.source(Records()).seed(epoch).shuffle()
            return records[worker::count].batch(self.batch_size // count)

    data = Sliced(batch_size=8)
    shares = [
        records_of(StreamBatches(data.train_shard(0, worker, 2), "train").dataset(0))
        for worker in range(2)
    ]
    assert all_of(shares[0] + shares[1]) == list(range(RECORDS))
    assert records_of(data.dataset_for("train"))[0] != list(range(8))


def test_other_data_are_no_stream():
    assert not is_stream(tf.data.Dataset.range(3))
    assert not is_stream([np.zeros((2, 2))])
