"""Boxes are drawn where they are, inside the image, and texts cover neither each other nor them."""

import numpy as np
import pytest

from lightning_tf.tasks.object_detection.reports.draw_boxes import (
    DrawnBox,
    draw_boxes,
    fit_image,
    pad_to_square,
)

RED, BLUE = (255, 0, 0), (0, 0, 255)


def drawn(*boxes, height=100, width=120):
    return draw_boxes(np.full((height, width, 3), 114, "uint8"), boxes)


def places(image, color):
    rows, columns = np.nonzero((image == color).all(axis=-1))
    return columns.min(), rows.min(), columns.max(), rows.max()


def test_the_line_is_where_the_box_is():
    image = drawn(DrawnBox((20, 30, 60, 80), color=RED))
    assert places(image, RED) == (20, 30, 60, 80)
    assert (image[31:80, 21:60] == 114).all()


@pytest.mark.parametrize(
    ("corners", "expected"),
    [
        ((-50, -50, 500, 500), (0, 0, 119, 99)),
        ((-9, 20, -3, 30), (0, 20, 1, 30)),
        ((50, 50, 50, 50), (50, 50, 51, 51)),
        ((119.6, 10, 150, 20), (119, 10, 119, 20)),
    ],
)
def test_a_box_beyond_the_image_is_cut_and_an_empty_one_is_a_dot(corners, expected):
    assert places(drawn(DrawnBox(corners, color=RED)), RED) == expected


def test_a_dashed_line_has_gaps():
    plain = (drawn(DrawnBox((20, 30, 60, 80), color=RED)) == RED).all(axis=-1).sum()
    dashed = (drawn(DrawnBox((20, 30, 60, 80), color=RED, dashed=True)) == RED).all(axis=-1).sum()
    assert 0.3 * plain < dashed < 0.8 * plain


def test_texts_do_not_cover_each_other():
    alone = drawn(DrawnBox((20, 30, 100, 80), "first", RED))
    both = drawn(
        DrawnBox((20, 30, 100, 80), "first", RED), DrawnBox((21, 31, 101, 81), "second", BLUE)
    )
    text = (slice(16, 30), slice(20, 45))
    assert (alone[text] == both[text]).all()
    assert (both == BLUE).all(axis=-1).sum() > (
        drawn(DrawnBox((21, 31, 101, 81), color=BLUE)) == BLUE
    ).all(axis=-1).sum()


def test_a_text_stays_in_the_image_and_off_a_small_box():
    image = drawn(DrawnBox((110, 0, 119, 8), "platelets", RED))
    assert (image[2:7, 112:118] == 114).all()  # what is in the box can be seen


def test_images_are_fitted_and_padded():
    image = np.zeros((30, 60, 3), "uint8")
    assert fit_image(image, 20).shape == (10, 20, 3)
    assert fit_image(np.zeros((1, 5000, 3), "uint8"), 100).shape == (1, 100, 3)
    padded = pad_to_square(image)
    assert padded.shape == (60, 60, 3)
    assert (padded[30:] == 114).all()
