"""Files of shards as training data, by the lines that docs/data_at_scale.md shows."""

import json

import numpy as np
import pytest
from helpers.resumable import assert_killed_run_is_exact
from helpers.shard_files import KINDS, SIZES, data, task
from helpers.streams import saved_and_resumed, stopped_and_resumed
from helpers.variants import slow_but

from lightning_tf.loops import training_data

pytest.importorskip("grain")
pytest.importorskip("array_record")
pytest.importorskip("pyarrow")

BY_INDEX = {"ArrayRecords", "TarShards"}


def read(batches):
    return np.concatenate([batch["y"] for batch in batches.as_numpy_iterator()])


@pytest.mark.parametrize("kind", KINDS)
def test_an_epoch_reads_every_record_once_in_an_order_of_its_own(tmp_path, kind):
    module = data(kind, tmp_path)
    module.ensure_setup("fit")
    first, again, second = (read(module.dataset_for("train", epoch)) for epoch in (0, 0, 1))
    assert len(set(first.tolist())) == sum(SIZES)
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(np.sort(first), np.sort(second))
    assert (first != second).any()


@pytest.mark.parametrize("kind", slow_but(KINDS, "ArrayRecords", "ParquetRows"))
def test_a_run_goes_on_from_a_checkpoint_inside_an_epoch(tmp_path, kind, caplog, monkeypatch):
    monkeypatch.setattr(training_data, "LONG_WAY", 1)  # whatever is read again is said
    caplog.set_level("INFO", "lightning_tf")
    make_data = lambda: data(kind, tmp_path)  # noqa: E731
    whole, resumed = saved_and_resumed(make_data, tmp_path, step=16, max_epochs=2)
    np.testing.assert_array_equal(resumed, whole)
    assert "again" not in caplog.text
    assert all(record.levelname == "INFO" for record in caplog.records)

    saved = json.loads((tmp_path / "checkpoint" / "run.json").read_text())["data_position"]
    assert bool(saved) == (kind not in BY_INDEX)  # whose place is the number of the batch


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_stopped_run_that_goes_on_gets_the_bits_of_the_undisturbed_one(tmp_path, kind):
    whole, resumed = stopped_and_resumed(lambda: data(kind, tmp_path), tmp_path)
    np.testing.assert_array_equal(resumed, whole)


@pytest.mark.distributed
@pytest.mark.parametrize("kind", slow_but(KINDS, "ParquetRows"))
def test_a_killed_run_that_goes_on_gets_the_bits_of_the_undisturbed_one(tmp_path, kind):
    files = tmp_path / "files"
    files.mkdir()
    data(kind, files)
    # Batches 6 and 9 of the second epoch of 12.
    assert_killed_run_is_exact(tmp_path, task, kind, str(files), every=6, killed=21, end=30)
