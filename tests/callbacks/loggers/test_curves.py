import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from lightning_tf.callbacks.loggers.curves import add_row, curves_figure, draw_curves, read_curves

TABLE = """step,epoch,train/loss,val/loss,train/loss_epoch,test/loss,learning_rate,train/odd_epoch
2,0,0.5,,,,0.1,
4,0,0.4,0.6,0.45,,0.1,7
8,1,nan,0.5,0.35,0.7,,
"""


def test_stages_of_one_metric_share_a_panel(tmp_path):
    (tmp_path / "metrics.csv").write_text(TABLE)
    panels = read_curves(tmp_path / "metrics.csv")
    assert panels["loss"]["val"] == ([4, 8], [0.6, 0.5])
    assert panels["loss"]["train, epoch"] == ([4, 8], [0.45, 0.35])
    steps, values = panels["loss"]["train"]
    assert steps == [2, 4, 8]
    np.testing.assert_array_equal(values, [0.5, 0.4, np.nan])
    assert panels["learning_rate"] == {"": ([2, 4], [0.1, 0.1])}
    assert set(panels) == {"loss", "learning_rate", "odd"}


def test_the_image_has_a_panel_for_each_metric(tmp_path):
    table, image = tmp_path / "metrics.csv", tmp_path / "curves.png"
    table.write_text(TABLE)
    assert draw_curves(table, image)
    with Image.open(image) as opened:
        pixels = np.asarray(opened.convert("RGB"))
    assert pixels.shape[1] == 3 * 4.5 * 100
    for panel in np.array_split(pixels, 3, axis=1):
        assert (panel.max(axis=-1) != panel.min(axis=-1)).any()  # something coloured in each


def test_a_table_without_metrics_draws_nothing(tmp_path):
    table, image = tmp_path / "metrics.csv", tmp_path / "curves.png"
    table.write_text("step,epoch,test/loss\n3,1,0.5\n")
    assert not draw_curves(table, image)
    assert not image.exists()


def test_the_legend_covers_no_curve(tmp_path, monkeypatch):
    figures = []
    saved = Figure.savefig
    monkeypatch.setattr(
        Figure, "savefig", lambda f, *a, **k: (figures.append(f), saved(f, *a, **k))
    )
    (tmp_path / "metrics.csv").write_text(TABLE)
    draw_curves(tmp_path / "metrics.csv", tmp_path / "curves.png")
    (figure,) = figures
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["train", "train, epoch", "val"]
    box = legend.get_window_extent()
    for axes in figure.axes:
        assert axes.get_legend() is None
        assert not box.overlaps(axes.get_tightbbox())


def test_of_very_many_metrics_thirty_are_drawn_and_those_of_validation_first():
    panels = {}
    add_row(panels, {f"train/value_{i}": float(i) for i in range(100)}, 1)
    add_row(panels, {"val/value_99": 0.5, "val/loss": 0.5}, 2)
    figure = curves_figure(panels)
    names = [axes.get_title() for axes in figure.axes]
    assert names == [*(f"value_{i}" for i in range(28)), "value_99", "loss"]
    assert [text.get_text() for text in figure.texts] == ["30 of 101 metrics"]


def test_updates_have_ticks_at_whole_numbers():
    panels = {}
    for step in range(1, 4):
        add_row(panels, {"train/loss": 1.0 / step}, step)
    (axes,) = curves_figure(panels).axes
    assert axes.get_xticks().tolist() == [1.0, 2.0, 3.0]
