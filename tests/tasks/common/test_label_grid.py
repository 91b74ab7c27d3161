"""LabelGrid: the images, their labels, and mistakes in red."""

import numpy as np
import pytest
from helpers.boring import Rows, quiet

from lightning_tf import Trainer
from lightning_tf.tasks import ImageClassification
from lightning_tf.tasks.common.label_grid import label_figure


def test_missing_labels_stand_behind_a_minus_and_others_behind_a_plus():
    images = np.zeros((3, 4, 4, 3))
    labels = np.array([[1, 0, 1], [0, 0, 0], [0, 1, 0]])
    probabilities = np.array([[0.9, 0.6, 0.2], [0.1, 0.2, 0.3], [0.1, 0.7, 0.2]])
    figure = label_figure(images, labels, probabilities, ["cat", "dog", "sea"])
    titles = [(text.get_text(), text.get_color()) for text in figure.axes[0].texts]
    assert titles == [
        ("cat\n+ dog\n\N{MINUS SIGN} sea", "red"),
        ("no label", "black"),
        ("dog", "black"),
    ]
    assert figure.get_suptitle() == "1 of 3 mistaken"


def test_an_image_of_many_labels_shows_the_first():
    names = [f"label {i}" for i in range(7)]
    figure = label_figure(np.zeros((1, 2, 2, 1)), np.ones((1, 7)), np.ones((1, 7)), names)
    assert figure.axes[0].texts[0].get_text().split("\n")[3:] == ["label 3", "... 3 more"]


@pytest.mark.slow
def test_fit_and_test_log_the_images_of_several_labels():
    x = np.random.default_rng(0).integers(0, 256, (24, 5, 5, 1)).astype("uint8")
    rows = Rows()
    task = ImageClassification(
        (x, np.arange(72).reshape(24, 3) % 2),
        network="linear",
        objective="multi_label",
        data_options={"val_fraction": 0.25, "test_fraction": 0.25},
    )
    trainer = Trainer(**quiet(logger=rows, max_epochs=1))
    trainer.fit(task)
    trainer.test(task)
    figures = {name: figure for what, name, _, figure in rows.sent if what == "figure"}
    assert list(figures) == ["val/predictions", "test/predictions"]
    assert all(len(figure.axes[0].images) == 6 for figure in figures.values())
