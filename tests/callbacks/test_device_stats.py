import time

import pytest
from helpers.boring import BoringTask, Rows, fitted
from helpers.resumable import TwoParts

from lightning_tf import Callback
from lightning_tf.callbacks import DeviceStats


def rows_of(*callbacks, task=None, **arguments):
    rows = Rows()
    defaults = {"max_epochs": 2, "log_every_n_steps": 2}
    fitted(
        task or BoringTask(),
        logger=rows,
        callbacks=[DeviceStats(), *callbacks],
        **{**defaults, **arguments},
    )
    return rows


def test_every_row_has_speed_and_memory():
    rows = rows_of()
    for name in ("examples_per_second", "updates_per_second", "host_memory_megabytes"):
        values = rows.column(f"device/{name}")
        assert [step for step, _ in values] == [2, 4, 6, 8]
        assert all(value > 0.0 for _, value in values)
    assert 50.0 < values[-1][1] < 100_000.0


@pytest.mark.parametrize("every", [pytest.param(2, marks=pytest.mark.slow), 3])
def test_examples_are_the_real_ones_also_across_epochs(every):
    class Sleeps(Callback):
        every_n_steps = 1

        def on_train_window_end(self, trainer, task):
            time.sleep(0.05)

    # 30 examples in batches of 4: the last of the 8 has 2.
    rows = rows_of(Sleeps(), task=TwoParts(), log_every_n_steps=every, limit_val_batches=0)
    speeds = rows.column("device/examples_per_second")
    updates = rows.column("device/updates_per_second")
    examples = [speed[1] / update[1] * every for speed, update in zip(speeds, updates, strict=True)]
    sizes = [4, 4, 4, 4, 4, 4, 4, 2] * 2
    expected = [sum(sizes[i : i + every]) for i in range(0, every * (16 // every), every)]
    assert examples == pytest.approx(expected)
    assert all(update < 21.0 for _, update in updates)


def test_validation_is_left_out_of_the_speed():
    class SlowValidation(Callback):
        def on_validation_epoch_start(self, trainer, task):
            time.sleep(1.0)

    rows = rows_of(SlowValidation(), num_sanity_val_steps=0)
    # Rows at updates 2, 4 and, past a validation, 6: its second would make that 2 updates a second.
    assert rows.column("device/updates_per_second")[2][1] > 4.0


def test_they_are_no_metrics():
    trainer = fitted(
        BoringTask(), max_epochs=1, log_every_n_steps=1, logger=Rows(), callbacks=[DeviceStats()]
    )
    assert not any("device" in name for name in trainer.callback_metrics)
