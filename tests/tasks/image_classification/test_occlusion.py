"""Occlusion: where a class was seen, on networks whose answer is known by hand."""

import keras
import numpy as np
import pytest
from helpers.boring import fitted

from lightning_tf.exceptions import ConfigurationError
from lightning_tf.tasks import ImageClassification, TransferLearning
from lightning_tf.tasks.image_classification.occlusion import occlusion_drops

SIDE = 10


def test_a_drop_is_the_mean_over_the_squares_that_cover_a_pixel():
    images = np.zeros((2, 4, 6, 1), "float32")
    images[0, 1, 1], images[1, 3, 5] = 24.0, 48.0
    # The sum of the image; a covered place gets the mean, 1 or 2, in the place of its own values.
    sums = lambda batch: batch.sum(axis=(1, 2))  # noqa: E731
    drops = occlusion_drops(sums, images, np.array([0, 0]), patch=2, stride=2)
    expected = np.full((2, 4, 6), [[[-4.0]], [[-8.0]]])
    expected[0, :2, :2], expected[1, 2:, 4:] = 24.0 - 4.0, 48.0 - 8.0
    np.testing.assert_allclose(drops, expected)


def test_a_square_larger_than_the_image_covers_all_of_it():
    images = np.full((1, 3, 3, 1), 5.0, "float32")
    images[0, 0, 0] = 14.0
    brightest = lambda batch: batch.max(axis=(1, 2))  # noqa: E731
    drops = occlusion_drops(brightest, images, np.array([0]), patch=7, stride=7)
    np.testing.assert_allclose(drops, np.full((1, 3, 3), 14.0 - 6.0))


def corner_task(kind=ImageClassification):
    """Return a task that has learned in which half of the image the bright square is."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 40, (60, SIDE, SIDE, 3)).astype("uint8")
    labels = np.arange(60) % 2
    for image, label in zip(images, labels, strict=True):
        top, left = rng.integers(0, SIDE - 2), rng.integers(0, 3) + label * (SIDE // 2)
        image[top : top + 2, left : left + 2] = 255
    if kind is ImageClassification:
        task = kind((images, labels), "mlp", batch_size=10, learning_rate=0.003)
    else:
        flat = [keras.Input((SIDE, SIDE, 3)), keras.layers.Conv2D(8, 3, 2, activation="relu")]
        task = kind((images, labels), keras.Sequential(flat), batch_size=10)
    fitted(task, max_epochs=20, seed=0)
    return task, images, labels


@pytest.fixture(scope="module")
def corners():
    return corner_task()


def test_the_class_is_seen_where_it_is(corners):
    task, images, labels = corners
    chosen = images[:12]
    drops = task.occlusion(chosen, labels[:12])
    assert drops.shape == (12, SIDE, SIDE)
    assert drops.dtype == np.float32
    hottest = drops.reshape(12, -1).argmax(axis=1)
    bright = chosen.min(axis=-1).reshape(12, -1)
    assert (bright[np.arange(12), hottest] == 255).mean() > 0.7


def test_heat_maps_are_between_0_and_1(corners):
    task, images, labels = corners
    maps = task.heat_maps(images[:3], labels[:3], "occlusion")
    assert maps.shape == (3, SIDE, SIDE)
    assert maps.min() == 0.0
    np.testing.assert_allclose(maps.max(axis=(1, 2)), 1.0)
    with pytest.raises(ConfigurationError, match="need a TransferLearning"):
        task.heat_maps(images[:3], labels[:3], "grad_cam")


def test_heat_maps_lie_over_the_images_of_a_table(corners, tmp_path):
    task, images, _ = corners
    table = task.predict(images[:4])
    plain, warm = (tmp_path / f"{name}.png" for name in ("plain", "warm"))
    table.save_image_grid(plain)
    table.save_image_grid(warm, heat_maps="occlusion")
    assert plain.read_bytes() != warm.read_bytes()
    with pytest.raises(ConfigurationError, match="need a TransferLearning"):
        table.save_image_grid(warm, heat_maps="grad_cam")
    with pytest.raises(ConfigurationError, match=r"heat_maps is 'oclusion'.*'occlusion'"):
        table.save_image_grid(warm, heat_maps="oclusion")


def test_a_backbone_has_both_kinds(tmp_path):
    task, images, labels = corner_task(TransferLearning)
    for method in ("grad_cam", "occlusion"):
        maps = task.heat_maps(images[:3], labels[:3], method)
        assert maps.min() >= 0.0
        assert maps.max() <= 1.0
        written = task.predict(images[:3]).save_image_grid(tmp_path / "a.png", heat_maps=method)
        assert len(written) == 1


def test_numbers_that_make_no_squares_are_refused(corners):
    task, images, labels = corners
    with pytest.raises(ConfigurationError, match="patch is 11"):
        task.occlusion(images, labels, patch=SIDE + 1)
    with pytest.raises(ConfigurationError, match="stride is 3"):
        task.occlusion(images, labels, patch=2, stride=3)
