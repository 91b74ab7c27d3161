import keras
import numpy as np
import pandas
import pytest

from lightning_tf.gallery import overfitting
from lightning_tf.gallery.overfitting import CURED, PLAIN, SIDE, FourViews, Outcome


class LeftUpperPixel(keras.Model):
    """Gives the red of the first pixel as every logit."""

    def call(self, images, training=False):
        return keras.ops.repeat(images[:, 0, 0, :1], overfitting.CLASSES, axis=1)


def test_four_views_are_averaged_outside_training_alone():
    images = np.zeros((2, SIDE, SIDE, 3), "float32")
    images[1, 0, 0], images[1, 0, -1] = 4.0, 8.0  # the middle leaves both out
    views = FourViews(LeftUpperPixel())
    assert np.asarray(views(images, training=False))[:, 0].tolist() == [0.0, 3.0]
    assert np.asarray(views(images, training=True))[:, 0].tolist() == [0.0, 4.0]


def test_a_photo_and_its_mirror_image_get_the_same_logits():
    images = np.random.default_rng(0).normal(size=(3, SIDE, SIDE, 3)).astype("float32")
    model = overfitting.in_four_views(overfitting.network(SIDE, dropout=0.5), SIDE)
    np.testing.assert_allclose(model(images), model(images[:, :, ::-1]), atol=1e-5)


def test_curves_stand_at_whole_epochs():
    rows = {"epoch": [0, 1], "val/seen_accuracy": [0.5, 1.0], "val/unseen_accuracy": [0.4, 0.6]}
    outcome = Outcome(pandas.DataFrame(rows), train=1.0, test=0.6)
    figure = overfitting.draw({PLAIN: outcome, CURED: outcome})
    figure.canvas.draw()
    left, right = figure.axes
    assert [list(line.get_xdata()) for line in left.lines] == [[1, 2], [1, 2]]
    assert all(tick == round(tick) for tick in right.get_xticks())
    assert "training 1.000, test 0.600" in left.get_title()


@pytest.mark.slow
def test_both_curves_are_of_photos_as_they_are(real_data, tmp_path, monkeypatch):
    monkeypatch.setattr(overfitting, "EPOCHS", {PLAIN: 2, CURED: 1})
    monkeypatch.setattr(overfitting, "STEPS", 40)
    figures = overfitting.run(tmp_path, full=False, data_dir=str(real_data))
    assert figures["test accuracy"] == figures[f"test accuracy {CURED}"]
    assert figures[f"training accuracy {PLAIN}"] > 0.4
    assert (tmp_path / "overfitting.png").exists()
