"""GAN and TimeSeriesForecast in runs that W&B keeps on this disk."""

import numpy as np
import pytest
from helpers.boring import fitted
from helpers.small_gan import small_gan
from helpers.wandb_log import logged_runs

from lightning_tf.callbacks import WandbLogger
from lightning_tf.tasks import TimeSeriesForecast

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("sealed")]


def logged(task, tmp_path, **arguments):
    logger = WandbLogger("tasks", mode="offline", dir=tmp_path)
    fitted(task, seed=0, logger=logger, log_every_n_steps=2, **arguments)
    (run,) = logged_runs(tmp_path)
    return run


def test_a_gan_logs_both_losses(tmp_path):
    run = logged(small_gan("minimax"), tmp_path, max_epochs=1)
    for name in ("train/generator_loss", "train/discriminator_loss"):
        assert np.isfinite([value for _, value in run.column(name)]).all()
        assert len(run.column(name)) >= 2
    assert run.exit_code == 0


def test_a_forecast_logs_its_errors_in_the_units_of_the_data(tmp_path):
    task = TimeSeriesForecast(np.sin(np.arange(100) / 3.0), "gru", history=4, units=4, batch_size=8)
    run = logged(task, tmp_path, max_epochs=2)
    assert len(run.column("train/loss")) >= 2
    assert [0.0 < value < 2.0 for _, value in run.column("val/rmse")] == [True, True]
    assert run.exit_code == 0
