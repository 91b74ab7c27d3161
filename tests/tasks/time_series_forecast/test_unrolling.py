"""Recurrent networks are written out where that pays, and stay as they are in every later run."""

import numpy as np
import pytest
from helpers.boring import fitted, quiet
from helpers.resumable import everything, resumed

from lightning_tf import Callback, Trainer
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.run.status import RunStatus
from lightning_tf.tasks import TimeSeriesForecast
from lightning_tf.tasks.time_series_forecast.unrolling import unrolling_pays

LONG, SHORT = {"max_epochs": 100_000}, {"max_epochs": 1}  # 9 updates an epoch


class StopAt(Callback):
    """Asks for the end of training at an update, whatever the limits are."""

    def __init__(self, step):
        self.every_n_steps = step

    def on_train_window_end(self, trainer, task):
        if self.is_due(trainer):
            trainer.request_stop("the test has seen enough")


def unrolling(network="gru", **options):
    wave = np.sin(np.arange(100) / 3.0)
    defaults = {"history": 4, "units": 4, "depth": 1, "batch_size": 8, "dropout": 0.2}
    defaults["schedule"] = "constant"  # another one would depend on the limits
    return TimeSeriesForecast(wave, network, **{**defaults, **options})


def stopped(step, task, **arguments):
    arguments = {"seed": 0, "num_sanity_val_steps": 0, **LONG, **arguments}
    return fitted(task, callbacks=[StopAt(step)], **arguments)


def unrolled(task):
    return next(layer.unroll for layer in task.model.layers if hasattr(layer, "unroll"))


@pytest.fixture(scope="module")
def long_run(tmp_path_factory):
    """An unrolled run of 8 updates, and the checkpoint that one of 4 has left."""
    path = tmp_path_factory.mktemp("run") / "part"
    whole = stopped(8, unrolling())
    stopped(4, unrolling()).save_checkpoint(path)
    return whole, path


@pytest.mark.slow
def test_a_run_of_many_updates_is_written_out_and_a_short_one_is_not(long_run):
    whole, _ = long_run
    assert unrolled(whole.task) is True
    short = unrolling()
    fitted(short, **SHORT)
    assert unrolled(short) is False


@pytest.mark.slow
def test_a_resumed_run_keeps_the_choice_whatever_its_limits_are(long_run):
    whole, path = long_run
    again = resumed(unrolling(), path, max_steps=8, seed=0, num_sanity_val_steps=0)
    assert unrolled(again.task) is True
    ours, theirs = everything(again), everything(whole)
    assert ours["weights"] == theirs["weights"]
    assert ours["optimizers"] == theirs["optimizers"]


@pytest.mark.slow
def test_a_short_run_that_is_carried_on_for_long_stays_a_loop(tmp_path):
    whole = fitted(unrolling(), max_steps=6, seed=0, num_sanity_val_steps=0)
    half = fitted(unrolling(), max_steps=3, seed=0, num_sanity_val_steps=0)
    half.save_checkpoint(tmp_path / "half")
    trainer = Trainer(**quiet(callbacks=[StopAt(6)], seed=0, num_sanity_val_steps=0, **LONG))
    trainer.fit(task := unrolling(), ckpt_path=tmp_path / "half")
    assert unrolled(task) is False
    assert everything(trainer)["weights"] == everything(whole)["weights"]


def test_who_takes_a_checkpoint_takes_its_choice(long_run):
    _, path = long_run
    tested = unrolling()
    Trainer(**quiet(max_epochs=1)).test(tested, ckpt_path=path)
    loaded = TimeSeriesForecast.from_checkpoint(path, data=None)
    assert unrolled(tested) is unrolled(loaded) is True
    past = np.sin(np.arange(4) / 3.0)
    np.testing.assert_array_equal(loaded.forecast(past, 2), tested.forecast(past, 2))
    Trainer(**quiet(max_epochs=1)).test(fresh := unrolling())
    assert unrolled(fresh) is False  # there is no run to speed up


def test_a_given_choice_stands_and_weights_go_both_ways(long_run):
    _, path = long_run
    loop = unrolling(unroll=False)
    Trainer(**quiet(max_epochs=1)).test(loop, ckpt_path=path)
    written = unrolling(unroll=True)
    Trainer(**quiet(max_epochs=1)).test(written, ckpt_path=path)
    assert (unrolled(loop), unrolled(written)) == (False, True)
    past = np.sin(np.arange(4) / 3.0)
    np.testing.assert_allclose(loop.forecast(past, 2), written.forecast(past, 2), rtol=1e-5)


def test_networks_that_read_no_steps_know_no_choice(tmp_path):
    task = unrolling("mlp", unroll=False)  # it says the same as None
    fitted(task, max_steps=1).save_checkpoint(tmp_path / "c")
    assert TimeSeriesForecast.from_checkpoint(tmp_path / "c", data=None).configured
    with pytest.raises(ConfigurationError, match=r"unroll=True has no meaning for network=.mlp."):
        unrolling("mlp", unroll=True)


def limited(updates, **arguments):
    trainer = Trainer(**quiet(max_steps=updates, **arguments))
    trainer.state.status = RunStatus("fit")
    return trainer


def test_tracing_is_weighed_against_what_the_run_saves():
    assert not unrolling_pays("lstm", 120, 64, limited(5_000))
    assert unrolling_pays("lstm", 120, 64, limited(10_000))
    assert not unrolling_pays("lstm", 1_000, 64, limited(10**6))
    assert not unrolling_pays("lstm", 120, 512, limited(10**6))
    assert not unrolling_pays("lstm", 120, 64, limited(10**6, max_time={"seconds": 20}))
    assert unrolling_pays("lstm", 120, 64, limited(10**6, max_time={"hours": 1}))
    assert not unrolling_pays("lstm", 120, 64, limited(10**6, jit_compile=True))
    assert not unrolling_pays("lstm", 120, 64, limited(10_000, devices=2))
