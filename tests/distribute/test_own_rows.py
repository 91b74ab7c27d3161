"""Workers that read shares of their own: every record once, whichever share ends first."""

import json
from functools import partial

import numpy as np
import pytest
import tensorflow as tf
from helpers.on_workers import run
from helpers.shard_files import data
from helpers.shares import LENGTHS, Shares, expected, fitted

from lightning_tf.distribute.own_rows import ENDLESS, UNKNOWN, length_of_share, own_rows
from lightning_tf.exceptions import DataError

slow = partial(pytest.param, marks=pytest.mark.slow)
WORKERS = (2, slow(4))


@pytest.mark.distributed
@pytest.mark.parametrize("workers", WORKERS)
def test_every_record_counts_once_whichever_share_ends_first(tmp_path, workers):
    outcomes, _ = run("helpers.shares:counted", tmp_path, workers=workers, timeout=300)
    assert len(outcomes) == workers
    updates = {2: 6, 4: 11}[workers]  # of the longest share
    for outcome in outcomes:
        for length in LENGTHS:
            weights, known, steps, values = outcome[length]
            np.testing.assert_allclose(weights, known, atol=1e-6)
            assert steps == updates
            assert values["val_all_loss"] == pytest.approx(np.arange(37).mean())
        weights, known = outcome["endless"]
        np.testing.assert_allclose(weights, known, atol=1e-6)
        assert outcome["steps by two"] == (-(-updates // 2), True)


@pytest.mark.slow
@pytest.mark.distributed
def test_a_resumed_run_goes_on_in_every_share(tmp_path):
    for outcome in run("helpers.shares:resumed", tmp_path, timeout=200)[0]:
        for whole, resumed in outcome.values():
            np.testing.assert_array_equal(resumed, whole)


@pytest.mark.distributed
def test_what_workers_cannot_mean_is_refused_by_all_of_them(tmp_path):
    first, second = run("helpers.shares:refused", tmp_path)[0]
    for outcome in (first, second):
        assert "Unsaid.train_dataset: the first batch of worker 1" in outcome["Unsaid"]
        assert "def train_shard(self, epoch, worker, count)" in outcome["Unsaid"]
        assert "shuffled with a seed" in outcome["Unsaid"]
        assert "def val_shard(self, worker, count)" in outcome["UnsaidValidation"]
        assert "would count 2 times" in outcome["All"]
        assert ".batch(self.batch_size // count), 8 // 2" in outcome["Undivided"]
        assert "the share of worker 1 of 2 is empty" in outcome["Empty"]
        for weights in (outcome["Cut"], outcome["Random"]):
            np.testing.assert_allclose(weights, [1 / 8] * 32 + [1 / 5] * 5, atol=1e-6)


@pytest.mark.slow
@pytest.mark.distributed
def test_a_resumed_run_takes_the_state_of_every_share(tmp_path):
    """TFRecord files of docs/data_at_scale.md, two for each worker: of 18 and of 7 batches."""
    files = tmp_path / "files"
    files.mkdir()
    data("Shards", files)
    outcomes, printed = run("helpers.shard_files:resumed_shares", tmp_path, str(files), timeout=200)
    (whole, resumed), (of_other, _) = outcomes
    np.testing.assert_array_equal(of_other, whole)
    assert set(resumed) == {5, 17}
    for batch, weights in resumed.items():
        np.testing.assert_array_equal(weights, whole)
        saved = json.loads((tmp_path / str(batch) / "run.json").read_text())["data_position"]
        assert [list(worker) for worker in saved["workers"]] == [["iterator"], ["iterator"]]
    assert "again" not in printed


@pytest.mark.parametrize("length", ["known", *(slow(length) for length in LENGTHS[1:])])
def test_one_worker_alone_reads_all_shares(length):
    trainer, weights = fitted(Shares(length))
    np.testing.assert_allclose(weights, expected(1), atol=1e-6)
    assert trainer.callback_metrics["val_all_loss"] == pytest.approx(18.0)


def test_a_share_of_known_length_is_filled_up_with_rows_that_do_not_count():
    batches = tf.data.Dataset.range(3).batch(2)
    joined = own_rows(batches, [2, 4], "train_shard")
    assert len(joined) == 4
    rows = [(own.rows.numpy().tolist(), int(own.count)) for own in joined]
    assert rows == [([0, 1], 2), ([2], 1), ([0, 1], 0), ([0, 1], 0)]


def test_a_share_of_unknown_length_has_no_end_of_its_own():
    batches = tf.data.Dataset.range(3).batch(2).filter(lambda x: True)
    joined = own_rows(batches, [UNKNOWN, 4], "train_shard")
    assert length_of_share(batches) == length_of_share(joined) == UNKNOWN
    assert [int(own.count) for own in joined.take(5)] == [2, 1, 0, 0, 0]


def test_shares_of_which_some_repeat_for_ever_are_refused():
    with pytest.raises(DataError, match="share of worker 1 repeats for ever"):
        own_rows(tf.data.Dataset.range(3).batch(2), [2, ENDLESS], "train_shard")
