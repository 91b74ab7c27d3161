"""Splits of images that show several classes."""

import logging

import numpy as np
import pytest

from lightning_tf.data import ImageAnnotation
from lightning_tf.data.boxes.rarest_class import hold_out_images, rarest_classes


def image(*labels):
    return ImageAnnotation(None, (9, 9), [[0, 0, 1, 1]] * len(labels), labels)


def many():
    return (
        [image("person")] * 100
        + [image("person", "dog", "dog")] * 20
        + [image("person", "dog", "cat")] * 10
        + [image()] * 10
    )


def test_an_image_counts_as_its_rarest_class():
    numbers = rarest_classes(many())  # cat 1, dog 2, person 3, none 0
    assert np.bincount(numbers).tolist() == [10, 10, 20, 100]


@pytest.mark.parametrize("seed", range(5))
def test_splits_are_disjoint_and_have_every_class_in_proportion(seed):
    items = many()
    rows = hold_out_images(items, {"train": np.arange(len(items))}, 0.2, 0.1, seed)
    assert sorted(np.concatenate(list(rows.values())).tolist()) == list(range(len(items)))
    for split, share in (("val", 0.2), ("test", 0.1)):
        counts = np.bincount(rarest_classes(items)[rows[split]], minlength=4)
        assert np.abs(counts - share * np.array([10, 10, 20, 100])).max() <= 1


def test_the_seed_alone_decides():
    items, train = many(), {"train": np.arange(140)}
    one, two, other = (hold_out_images(items, train, None, None, seed) for seed in (1, 1, 2))
    assert one["val"].tolist() == two["val"].tolist() != other["val"].tolist()
    assert len(one["val"]) == 14


def test_a_class_with_one_image_stays_in_training_and_is_told(caplog):
    items = [image("dog")] * 9 + [image("dog", "whale")]
    for seed in range(20):
        rows = hold_out_images(items, {"train": np.arange(10)}, 0.5, None, seed)
        assert 9 in rows["train"]
        assert len(rows["val"]) == 5
    with caplog.at_level(logging.WARNING):
        hold_out_images(items, {"train": np.arange(10)}, 0.5, None, 0)
    assert "One image alone shows whale" in caplog.text
