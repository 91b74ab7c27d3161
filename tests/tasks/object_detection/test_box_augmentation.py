"""BoxAugmentation, against the pixels: where a colored rectangle is found, its box must be."""

import numpy as np
import pytest
import tensorflow as tf

from lightning_tf.exceptions import ConfigurationError
from lightning_tf.tasks.object_detection.augmentation.box_augmentation import BoxAugmentation
from lightning_tf.tasks.object_detection.augmentation.image_warp import (
    GRAY,
    Warp,
    warp_images,
    warp_objects,
)

HEIGHT, WIDTH, BATCH = 96, 128, 64
BRIGHT = 255.0


def rectangles(seed, channels=4):
    """Return images with one rectangle each, image i in channel i % channels, and objects."""
    random = np.random.default_rng(seed)
    images = np.full((BATCH, HEIGHT, WIDTH, channels), GRAY, "float32")
    boxes = np.zeros((BATCH, 2, 4), "float32")
    labels = np.full((BATCH, 2), -1, "int32")
    for k in range(BATCH):
        w, h = random.integers(24, 64, 2)
        x, y = random.integers(0, WIDTH - w + 1), random.integers(0, HEIGHT - h + 1)
        images[k, y : y + h, x : x + w, k % channels] = BRIGHT
        boxes[k, 0], labels[k, 0] = [x, y, x + w, y + h], k % channels
    return images, {"boxes": boxes, "labels": labels, "ignored": np.zeros((BATCH, 2), bool)}


def found_box(plane):
    """Return the box of what is bright: the weights of an edge add up to its place."""
    share = (np.asarray(plane, "float64") - GRAY) / (BRIGHT - GRAY)
    result = []
    for axis in (0, 1):
        profile = share.max(axis=axis)
        if profile.max() < 0.9:
            return None
        center = (profile * (np.arange(len(profile)) + 0.5)).sum() / profile.sum()
        result.append((center - profile.sum() / 2, center + profile.sum() / 2))
    (x0, x1), (y0, y1) = result
    return [x0, y0, x1, y1]


def iou(a, b):
    w = max(min(a[2], b[2]) - max(a[0], b[0]), 0.0)
    h = max(min(a[3], b[3]) - max(a[1], b[1]), 0.0)
    areas = [(x[2] - x[0]) * (x[3] - x[1]) for x in (a, b)]
    return w * h / (sum(areas) - w * h)


def overlaps(chosen, mosaic=0.0, batches=6):
    """Return IoU of every object's box with the pixels, and how many were kept."""
    augment = BoxAugmentation(chosen, mosaic, seed=0)
    result = []
    for seed in range(batches):
        images, objects = augment(*rectangles(seed), training=True)
        assert images.shape == (BATCH, HEIGHT, WIDTH, 4)
        for k in range(BATCH):
            for box, label in zip(objects["boxes"][k], objects["labels"][k], strict=True):
                if label < 0:
                    assert not np.any(box)
                    continue
                found = found_box(images[k, ..., int(label)])
                result.append(0.0 if found is None else iou(found, box.numpy()))
    return np.array(result)


@pytest.mark.parametrize(
    "chosen",
    [
        pytest.param(["flip"], marks=pytest.mark.slow),
        pytest.param(["scale"], marks=pytest.mark.slow),
        pytest.param(["shift"], marks=pytest.mark.slow),
        ["crop"],
        ["flip", "scale", "shift", "crop"],
    ],
    ids=str,
)
def test_boxes_are_where_the_pixels_are(chosen):
    result = overlaps(chosen)
    assert len(result) > 150
    assert result.mean() >= 0.97
    assert result.min() >= 0.9


@pytest.mark.parametrize(
    "chosen", [pytest.param([], marks=pytest.mark.slow), ["flip", "scale"]], ids=str
)
def test_boxes_of_a_mosaic_are_where_the_pixels_are(chosen):
    result = overlaps(chosen, mosaic=1.0, batches=2)
    assert len(result) > 150
    assert result.mean() >= 0.97
    assert result.min() >= 0.9


def test_an_object_stays_iff_enough_of_it_stays():
    random = np.random.default_rng(0)
    scale = random.uniform(0.5, 2.0, (BATCH, 2)) * random.choice([-1.0, 1.0], (BATCH, 2))
    shift = random.uniform(-80, 160, (BATCH, 2))
    _, objects = rectangles(0)
    warp = Warp(tf.constant(scale, tf.float32), tf.constant(shift, tf.float32))
    moved = warp_objects(objects, warp, [0.0, 0.0, WIDTH, HEIGHT])
    kept = 0
    for k in range(BATCH):
        box = objects["boxes"][k, 0].astype("float64")
        x, y = box[[0, 2]] * scale[k, 0] + shift[k, 0], box[[1, 3]] * scale[k, 1] + shift[k, 1]
        whole = abs(np.diff(x) * np.diff(y))
        x, y = np.sort(x).clip(0, WIDTH), np.sort(y).clip(0, HEIGHT)
        stays = np.diff(x) * np.diff(y) >= 0.3 * whole
        assert (moved["labels"][k, 0] == objects["labels"][k, 0]) == stays
        expected = [x[0], y[0], x[1], y[1]] if stays else [0] * 4
        np.testing.assert_allclose(moved["boxes"][k, 0], expected, atol=1e-3)
        kept += stays
    assert 5 < kept < BATCH - 5


def test_what_moves_nothing_changes_nothing():
    images, _ = rectangles(0)
    images += np.random.default_rng(0).normal(size=images.shape).astype("float32")
    still = Warp(tf.ones([BATCH, 2]), tf.zeros([BATCH, 2]))
    np.testing.assert_allclose(warp_images(images, still), images, atol=1e-4)
    mirror = Warp(tf.constant([[-1.0, 1.0]] * BATCH), tf.constant([[float(WIDTH), 0.0]] * BATCH))
    np.testing.assert_allclose(warp_images(images, mirror), images[:, :, ::-1], atol=1e-4)


def test_an_even_image_stays_even_where_it_shrinks():
    images = np.full((1, 64, 64, 3), 200.0, "float32")
    warp = Warp(tf.constant([[0.6, 0.6]]), tf.constant([[10.0, 10.0]]))
    moved = warp_images(images, warp).numpy()
    np.testing.assert_allclose(moved[0, 13:45, 13:45], 200.0, rtol=1e-5)
    np.testing.assert_allclose(moved[0, :8], GRAY)


def test_color_changes_no_box_and_stays_in_range():
    images, objects = rectangles(0, channels=3)
    changed, same = BoxAugmentation("color", seed=0)(images, objects, training=True)
    np.testing.assert_array_equal(same["boxes"], objects["boxes"])
    assert not np.allclose(changed, images)
    assert np.min(changed) >= 0.0
    assert np.max(changed) <= 255.0


def test_closed_it_flips_and_colors_alone():
    images, objects = rectangles(0)
    augment = BoxAugmentation(["flip", "scale", "shift", "crop"], mosaic=1.0, seed=0)
    changed, moved = augment(images, objects, is_open=tf.constant(False), training=True)
    flipped = 0
    for k in range(BATCH):
        mirrored = np.allclose(changed[k], images[k][:, ::-1], atol=1e-3)
        assert mirrored or np.allclose(changed[k], images[k], atol=1e-3)
        flipped += mirrored
        assert np.sum(moved["labels"][k] >= 0) == 1
    assert 10 < flipped < BATCH - 10


def test_evaluation_changes_nothing_and_a_seed_repeats():
    images, objects = rectangles(0)
    chosen = ["flip", "scale", "crop", "color"]
    same, _ = BoxAugmentation(chosen, 0.5)(images, objects)
    np.testing.assert_array_equal(same, images)
    one, other = (
        BoxAugmentation(chosen, 0.5, seed=3)(images, objects, training=True) for _ in "ab"
    )
    np.testing.assert_array_equal(one[0], other[0])
    np.testing.assert_array_equal(one[1]["boxes"], other[1]["boxes"])


def test_ignored_objects_move_with_the_image_and_images_without_objects_pass():
    images, objects = rectangles(0)
    objects["ignored"][:, 0] = True
    _, moved = BoxAugmentation(["flip"], seed=0)(images, objects, training=True)
    assert np.all(moved["ignored"][:, 0])
    assert not np.any(moved["ignored"][:, 1])
    nothing = {"boxes": tf.zeros([BATCH, 0, 4]), "labels": tf.zeros([BATCH, 0], tf.int32)}
    _, moved = BoxAugmentation(["flip", "scale"], 0.5, seed=0)(images, nothing, training=True)
    assert moved["labels"].shape == (BATCH, 0)


def test_a_mosaic_of_few_images_repeats_them():
    images, objects = rectangles(0)
    two = {name: value[:2] for name, value in objects.items()}
    changed, moved = BoxAugmentation([], 1.0, seed=0)(images[:2], two, training=True)
    assert changed.shape == (2, HEIGHT, WIDTH, 4)
    assert moved["labels"].shape == (2, 8)


@pytest.mark.slow
def test_it_compiles():
    images, objects = rectangles(0, channels=3)
    augment = BoxAugmentation(["flip", "scale", "color"], 0.5, seed=0)

    def step(images):
        return augment(images, objects, training=True)

    compiled = tf.function(step, jit_compile=True, autograph=False)(tf.constant(images))
    assert np.isfinite(compiled[0]).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(("flop",), "augmentation 'flop' is unknown.*flip"), (([], 1.5), r"give a share in \[0, 1\]")],
)
def test_what_is_no_augmentation_is_told(arguments, message):
    with pytest.raises(ConfigurationError, match=message):
        BoxAugmentation(*arguments)
