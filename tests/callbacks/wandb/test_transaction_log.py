import pytest

from lightning_tf.callbacks.wandb.transaction_log import count_rows, read_records, remove_if_empty


@pytest.fixture
def log(sealed, tmp_path):
    """The log of 500 rows in several blocks of 32 KiB, some of them larger than a block."""
    import wandb

    run = wandb.init(mode="offline", project="p", dir=tmp_path)
    for number in range(500):
        run.log({"number": number, "text": "y" * (number * 137 % 3000)})
    run.log({"text": "z" * 100_000})
    run.finish()
    (path,) = tmp_path.glob("wandb/offline-run-*/run-*.wandb")
    wandb.teardown(exit_code=0)
    return path


def test_rows_are_counted_also_in_a_torn_and_in_a_damaged_log(log):
    assert count_rows(log) == 501
    whole = log.read_bytes()
    log.write_bytes(whole[: len(whole) // 2])
    assert 100 < count_rows(log) < 500
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 1
    log.write_bytes(bytes(damaged))
    assert 100 < count_rows(log) < 500


def test_another_file_is_no_log(tmp_path):
    path = tmp_path / "run-a.wandb"
    path.write_bytes(b"something else")
    assert count_rows(path) == count_rows(tmp_path / "missing") == 0
    with pytest.raises(ValueError, match="no transaction log"):
        list(read_records(path))


def test_only_a_log_without_records_is_removed(log, tmp_path):
    remove_if_empty(log)
    assert log.exists()
    log.write_bytes(log.read_bytes()[:7])
    remove_if_empty(log)
    assert not log.exists()
