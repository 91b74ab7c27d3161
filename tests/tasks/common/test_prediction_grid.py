"""PredictionGrid: the images, what they are taken for, and mistakes in red."""

import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import Rows, quiet

from lightning_tf import Trainer
from lightning_tf.data import DatasetPair, image_data
from lightning_tf.tasks import ImageClassification
from lightning_tf.tasks.common.prediction_grid import prediction_figure, take_examples


def test_each_image_stands_under_its_prediction_and_mistakes_are_red():
    images = np.random.default_rng(0).uniform(0, 1, (3, 4, 4, 1))
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.25, 0.75]])
    figure = prediction_figure(images, np.array([0, 1, 1]), probabilities, ["cat", "dog"])
    titles = [(text.get_text(), text.get_color()) for text in figure.axes[0].texts]
    assert titles == [("cat 90%", "black"), ("cat 80%\ntrue: dog", "red"), ("dog 75%", "black")]
    assert figure.get_suptitle() == "1 of 3 mistaken"
    for image, drawn in zip(images, figure.axes[0].images, strict=True):
        np.testing.assert_array_equal(drawn.get_array(), image[..., 0])


def test_heat_maps_of_any_size_are_laid_over_the_images():
    images = np.zeros((1, 4, 6, 3))
    heat = np.array([[[0.0, 1.0], [0.5, 0.0]]])
    figure = prediction_figure(images, np.array([0]), np.array([[1.0, 0.0]]), ["a", "b"], heat)
    image, laid_over = figure.axes[0].images
    np.testing.assert_array_equal(laid_over.get_array(), heat[0])
    assert laid_over.get_extent() == image.get_extent()
    assert laid_over.get_alpha() < 1.0


def test_indexed_data_give_images_spread_over_the_whole_part():
    x = np.zeros((100, 2, 2, 1), "uint8")
    data = image_data((x, np.repeat(np.arange(4), 25)), batch_size=8)
    data = type(data)((x, np.repeat(np.arange(4), 25)), test=(x, np.repeat(np.arange(4), 25)))
    data.setup("test")
    images, labels = take_examples(data, "test", 9)
    assert images.shape == (9, 2, 2, 1)
    assert set(labels) == {0, 1, 2, 3}
    assert len(take_examples(data, "test", 500)[0]) == 100


def test_other_data_give_their_first_images():
    batches = tf.data.Dataset.from_tensor_slices((np.zeros((7, 2, 2, 1)), np.arange(7))).batch(3)
    data = DatasetPair(batches, batches)
    assert take_examples(data, "val", 5)[1].tolist() == [0, 1, 2, 3, 4]
    assert take_examples(data, "val", 50)[1].tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert take_examples(data, "test", 5) is None


@pytest.mark.parametrize("dtype", ["uint8", pytest.param("float32", marks=pytest.mark.slow)])
def test_fit_and_test_log_a_sheet_of_the_images_as_they_are(dtype):
    x = np.random.default_rng(0).integers(0, 256, (40, 5, 5, 3)).astype("uint8")
    scaled = x if dtype == "uint8" else (x / 255.0).astype("float32")
    rows = Rows()
    task = ImageClassification(
        (scaled, np.arange(40) % 2),
        "linear",
        data_options={"val_fraction": 0.25, "test_fraction": 0.25},
    )
    trainer = Trainer(**quiet(logger=rows, max_epochs=1))
    trainer.fit(task)
    trainer.test(task)
    figures = {name: figure for what, name, _, figure in rows.sent if what == "figure"}
    grid = figures["test/predictions"]
    assert len(grid.axes[0].images) == 10
    indices = task.data.splits["test"].indices
    low, high = task.value_range
    expected = (scaled[indices[0]].astype("float32") - low) / (high - low)
    np.testing.assert_allclose(grid.axes[0].images[0].get_array(), expected, atol=1e-6)
    assert len(figures["val/predictions"].axes[0].images) == 10


def test_a_run_without_loggers_draws_nothing(monkeypatch):
    import lightning_tf.tasks.common.prediction_grid as room

    drawn = []
    monkeypatch.setattr(room, "take_examples", lambda *arguments: drawn.append(arguments))
    x = np.zeros((20, 4, 4, 1), "uint8")
    Trainer(**quiet(max_epochs=1)).fit(ImageClassification((x, np.arange(20) % 2), "linear"))
    assert drawn == []
