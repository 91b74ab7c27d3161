import numpy as np
import pytest

from lightning_tf.callbacks.wandb import media as wandb_media
from lightning_tf.exceptions import DataError


class Fake:
    """Notes what the module wandb would be asked for."""

    @staticmethod
    def Image(data, **arguments):
        return data, arguments


def test_images_are_bytes_and_are_copied():
    images = np.full((2, 4, 4, 1), 0.5)
    make = wandb_media.images(images, ["a", "b"])
    images[:] = 0.0
    (first, arguments), _ = make(Fake)
    assert first.dtype == np.uint8
    assert first.max() == 128
    assert arguments == {"caption": "a", "file_type": "png"}


def test_large_images_are_jpegs_and_long_lists_are_cut():
    assert wandb_media.images(np.zeros((1, 256, 256, 3), "uint8"))(Fake)[0][1]["file_type"] == "jpg"
    assert len(wandb_media.images(np.zeros((150, 2, 2, 3), "uint8"))(Fake)) == 100


@pytest.mark.parametrize("kind", ["captions", "masks", "boxes"])
def test_one_of_everything_for_each_image_is_needed(kind):
    with pytest.raises(DataError, match=f"1 {kind} for 2 images"):
        wandb_media.images(np.zeros((2, 4, 4, 3), "uint8"), **{kind: [{}]})


def test_a_roc_of_a_perfect_and_of_a_blind_score():
    labels = np.array([False, False, True, True])
    perfect = wandb_media._roc(labels, np.array([0.1, 0.2, 0.8, 0.9]))
    assert [0.0, 1.0] in perfect.tolist()
    assert wandb_media._roc(labels, np.full(4, 0.5)).tolist() == [[0.0, 0.0], [1.0, 1.0]]


def test_labels_and_predictions_of_different_length_are_refused():
    with pytest.raises(DataError, match="3 labels for 2"):
        wandb_media.confusion_matrix([0, 1, 1], [0, 1])
    with pytest.raises(DataError, match="3 labels for 2"):
        wandb_media.roc_curves([0, 1, 1], np.zeros((2, 2)))
