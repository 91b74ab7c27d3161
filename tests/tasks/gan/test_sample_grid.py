"""SampleGrid: the same noise every time, a film at the end that a resumed run finishes."""

import numpy as np
import pytest
from helpers.boring import Rows, quiet
from helpers.small_gan import small_gan
from PIL import Image

from lightning_tf import Trainer
from lightning_tf.callbacks import CSVLogger
from lightning_tf.tasks.gan.sample_grid import MOST_FRAMES, SampleGrid, image_grid


def fit(task, epochs, logger, **arguments):
    trainer = Trainer(**quiet(max_epochs=epochs, logger=logger, seed=0, limit_val_batches=0))
    trainer.fit(task, **arguments)
    return trainer


def test_grids_come_every_few_epochs_and_at_the_end():
    rows = Rows()
    trainer = fit(small_gan(sample_every_n_epochs=2), 5, rows)
    per_epoch = trainer.num_training_batches
    steps = [step for _, name, step, _ in rows.sent if name == "samples"]
    assert steps == [2 * per_epoch, 4 * per_epoch, 5 * per_epoch]
    assert [step for _, name, step, _ in rows.sent if name == "interpolation"] == [5 * per_epoch]


@pytest.mark.slow
def test_images_of_a_conditional_gan_carry_their_class():
    rows = Rows()
    fit(small_gan(conditional=True, num_samples=4), 1, rows)
    (captions,) = (captions for _, name, _, captions in rows.sent if name == "samples")
    assert captions == ["0", "1", "2", "0"]


@pytest.mark.slow
def test_a_resumed_run_has_the_film_of_the_whole(tmp_path):
    whole = small_gan()
    fit(whole, 4, CSVLogger(tmp_path / "whole"))
    first = small_gan()
    fit(first, 2, CSVLogger(tmp_path / "half")).save_checkpoint(tmp_path / "c")
    resumed = small_gan()
    trainer = fit(resumed, 4, CSVLogger(tmp_path / "half"), ckpt_path=tmp_path / "c")
    assert resumed.grid.frames == whole.grid.frames
    film = Image.open(next((tmp_path / "half").rglob("samples.gif")))
    assert film.n_frames == 4
    with Image.open(next((tmp_path / "whole").rglob("samples.gif"))) as expected:
        assert film.size == expected.size
    assert str(trainer.log_dir) in film.filename
    film.close()


class Still:
    """A generator that counts."""

    def __init__(self):
        self.calls = 0

    def sample(self, count):
        self.calls += 1
        return np.full((count, 4, 4, 1), self.calls / 1000)

    def to_display_range(self, images):
        return images

    def sample_captions(self, count):
        return None


class Quiet:
    loggers, global_step = (1,), 0

    def log_images(self, *arguments, **named):
        self.current_epoch = 0


def test_a_long_film_is_thinned_evenly():
    grid, task, trainer = SampleGrid(4), Still(), Quiet()
    for _ in range(4 * MOST_FRAMES):
        grid._take(trainer, task)
    assert len(grid.frames) < MOST_FRAMES
    expected = [image_grid(np.full((4, 4, 4, 1), (1 + 8 * n) / 1000)) for n in range(30)]
    assert grid.stride == 8
    assert len(grid.frames) == len(expected)


@pytest.mark.parametrize("channels", [1, 3])
def test_images_stand_row_by_row_between_gray_lines(channels):
    images = np.arange(3).reshape(3, 1, 1, 1) / 2 * np.ones((3, 40, 40, channels))
    pixels = np.asarray(image_grid(images))
    assert pixels.shape[:2] == (84, 84)
    gray = pixels if channels == 1 else pixels[..., 0]
    assert [gray[5, 5], gray[5, 50], gray[50, 5], gray[50, 50]] == [0, 128, 255, 96]
    assert gray[41, 5] == 96
