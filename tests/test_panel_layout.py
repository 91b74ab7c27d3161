"""PanelLayout: nothing is cut, nothing lies over another's, and all is measured once."""

import io

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from lightning_tf.data.images.titled_images import titled_images
from lightning_tf.panel_layout import PanelLayout
from lightning_tf.save_figure import save_figure
from lightning_tf.tasks.common.confusion_matrix import confusion_figure
from lightning_tf.tasks.common.regression_report import regression_figure

LONG = "a name of a column that is as long as this one"


def confusion():
    return confusion_figure(np.full((12, 12), 1234), [f"{LONG} {i}" for i in range(12)])


def regression(epochs=3):
    truth = np.linspace(-3e6, 3e6, 50)[:, np.newaxis] * [[1.0, 7.0]]
    losses = [[i + 1, 0.5 ** (2 * i)] for i in range(epochs)]
    curves = {"loss": losses, "val_loss": losses}
    return regression_figure(truth, 0.9 * truth, curves, [LONG, "price"])


def images():
    return titled_images(np.ones((3, 5, 9, 1)), [LONG, f"{LONG}\n{LONG}", LONG], np.arange(3) > 0)


def beside():
    figure = Figure(figsize=(8, 3), layout=PanelLayout())
    axes = figure.add_subplot()
    axes.plot([1.0, 2e-9], label=LONG)
    axes.set(title=f"{LONG}, {LONG}, {LONG}", ylabel=LONG)
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0))
    return figure


def test_labels_longer_than_the_figure_are_cut_rather_than_end_a_run():
    file = io.BytesIO()
    save_figure(confusion_figure(np.full((2, 2), 1), ["a" * 200, "b" * 200]), file, 100)
    assert Image.open(file).size[0] > 100


@pytest.mark.parametrize("figure", [confusion, regression, images, beside])
def test_nothing_reaches_the_edge(figure):
    file = io.BytesIO()
    save_figure(figure(), file, dpi=120)
    pixels = np.asarray(Image.open(file).convert("RGB"))
    edges = [pixels[:3], pixels[-3:], pixels[:, :3], pixels[:, -3:]]
    assert all((edge == 255).all() for edge in edges)


@pytest.mark.parametrize("figure", [regression, images])
def test_no_text_lies_over_another(figure):
    figure = figure()
    save_figure(figure, io.BytesIO(), dpi=120)
    figure.draw_without_rendering()  # texts remember the resolution that they were drawn at last
    texts = [t for axes in figure.axes for t in (*axes.texts, axes.title) if t.get_text()]
    boxes = [text.get_window_extent() for text in texts]
    assert len(boxes) == 3
    for place, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:place])


@pytest.mark.parametrize("epochs", [1, 2, 3, 10])
def test_an_axis_of_epochs_has_ticks_at_whole_ones(epochs):
    figure = regression(epochs)
    save_figure(figure, io.BytesIO(), dpi=120)
    ticks = figure.axes[0].get_xticks()
    assert ticks.size
    np.testing.assert_array_equal(ticks, ticks.round())


def test_panels_are_placed_once():
    figure = beside()
    save_figure(figure, io.BytesIO(), dpi=120)
    place = figure.axes[0].get_position().bounds
    figure.axes[0].set_ylabel("")
    figure.draw_without_rendering()
    assert figure.axes[0].get_position().bounds == place
