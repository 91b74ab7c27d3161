"""A GAN's offline W&B run: scores of both networks, images, the film."""

import pytest
from helpers.boring import quiet
from helpers.small_gan import small_gan
from helpers.wandb_log import logged_runs

from lightning_tf import Trainer
from lightning_tf.callbacks import WandbLogger

pytestmark = pytest.mark.usefixtures("sealed")


def test_an_offline_run_of_a_gan_holds_scores_images_and_the_film(tmp_path):
    logger = WandbLogger("gan", dir=tmp_path, mode="offline")
    trainer = Trainer(**quiet(max_epochs=2, logger=logger, seed=0))
    trainer.fit(small_gan())
    (run,) = logged_runs(tmp_path)
    for name in ("generator_loss", "discriminator_loss", "real_score", "fake_score"):
        assert len(run.column(f"train/{name}_epoch")) == 2
        assert len(run.column(f"val/{name}")) == 2
    assert len(run.column("samples")) == 2
    assert len(run.column("interpolation")) == 1
    assert any(file.endswith("samples.gif") for file in run.files), run.files
