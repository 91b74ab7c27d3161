"""save_figure: the package's figures are drawn once, those of others whole."""

import io

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from lightning_tf.panel_layout import PanelLayout
from lightning_tf.save_figure import save_figure


def drawings(monkeypatch, figure):
    drawn = []
    draw = Figure.draw
    monkeypatch.setattr(Figure, "draw", lambda f, renderer: (drawn.append(f), draw(f, renderer)))
    save_figure(figure, io.BytesIO(), dpi=120)
    return len(drawn)


def test_a_figure_with_a_panel_layout_is_drawn_once(monkeypatch):
    figure = Figure(layout=PanelLayout())
    figure.add_subplot().plot([1, 2])
    assert drawings(monkeypatch, figure) == 1


def test_a_figure_keeps_its_own_resolution():
    figure = Figure(figsize=(2, 1), dpi=77, layout=PanelLayout())
    file = io.BytesIO()
    save_figure(figure, file, dpi=120)
    assert Image.open(file).size == (240, 120)
    assert figure.dpi == 77


@pytest.mark.parametrize("layout", [None, "constrained"])
def test_what_another_figure_has_beside_its_frame_is_not_cut(layout):
    figure = Figure(figsize=(3, 2), layout=layout)
    figure.add_subplot()
    figure.text(1.05, 0.5, "beside", color="red")
    file = io.BytesIO()
    save_figure(figure, file, dpi=120)
    pixels = np.asarray(Image.open(file).convert("RGB")).astype(int)
    assert pixels.shape[1] > 360
    assert (pixels[..., 0] - pixels[..., 1] > 200).any()
    assert (pixels[:, -5:] == 255).all()
