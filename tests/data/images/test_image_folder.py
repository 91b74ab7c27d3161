"""Folders of class folders."""

import logging

import numpy as np
import pytest
from PIL import Image

from lightning_tf.data import ImageFolder
from lightning_tf.exceptions import ConfigurationError, DataError

COLORS = {"blue": (0, 0, 200), "red": (200, 0, 0)}


def paint(root, count=6, endings=("jpg", "png", "bmp", "gif"), classes=COLORS):
    """Plain images of many sizes and formats."""
    for name, color in classes.items():
        (root / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            image = Image.new("RGB", (10 + 3 * number, 20 - number), color)
            image.save(root / name / f"{number}.{endings[number % len(endings)]}")
    return root


def ready(root, **options):
    data = ImageFolder(root, **{"image_size": 8, **options})
    data.setup("fit")
    return data


def sizes(data):
    return {name: len(split.indices) for name, split in data.splits.items()}


def flat(dataset):
    batches = list(dataset.as_numpy_iterator())
    return tuple(np.concatenate(arrays) for arrays in zip(*batches, strict=True))


@pytest.mark.parametrize("in_memory", [False, True])
def test_images_of_any_size_and_format_are_decoded_and_resized(tmp_path, in_memory):
    data = ready(paint(tmp_path), val_fraction=0.0, in_memory=in_memory)
    images, labels = flat(data.train_dataset(0))
    assert (images.shape, images.dtype.name) == ((12, 8, 8, 3), "uint8")
    assert data.class_names == ["blue", "red"]
    for image, label in zip(images, labels, strict=True):
        color = list(COLORS.values())[label]
        assert np.abs(image.astype(int) - color).max() < 12  # JPEG and GIF are not exact


def test_decoding_in_memory_gives_the_same_batches(tmp_path):
    paint(tmp_path, count=9)
    streamed, kept = (ready(tmp_path, in_memory=keep, batch_size=4) for keep in (False, True))
    for one, two in zip(flat(streamed.train_dataset(3)), flat(kept.train_dataset(3)), strict=True):
        assert (one == two).all()


def test_an_epoch_is_pure_and_resumes_at_any_batch(tmp_path):
    paint(tmp_path, count=12)
    data = ready(tmp_path, batch_size=4, seed=5)
    images, labels = flat(data.train_dataset(1))
    again, _ = flat(ready(tmp_path, batch_size=4, seed=5).train_dataset(1))
    assert (again == images).all()
    assert (flat(data.train_dataset(2))[1] != labels).any()
    resumed, _ = flat(data.train_dataset_from(1, 2))
    assert (resumed == images[8:]).all()


def test_folders_of_splits_are_used_and_validation_is_held_out(tmp_path):
    paint(tmp_path / "train", count=10)
    paint(tmp_path / "test", count=3)
    assert sizes(ready(tmp_path)) == {"train": 18, "val": 2, "test": 6}
    paint(tmp_path / "validation", count=2)
    assert sizes(ready(tmp_path)) == {"train": 20, "val": 4, "test": 6}


def test_a_window_can_be_cut_instead_of_stretching(tmp_path):
    for name in COLORS:
        (tmp_path / name).mkdir()
        pixels = np.zeros((8, 24, 3), "uint8")
        pixels[:, 8:16] = 255
        Image.fromarray(pixels).save(tmp_path / name / "bar.png")
    cut, _ = flat(ready(tmp_path, val_fraction=0.0, crop_to_aspect_ratio=True).train_dataset(0))
    stretched, _ = flat(ready(tmp_path, val_fraction=0.0).train_dataset(0))
    assert (cut == 255).all()
    assert stretched.min() == 0


def test_gray_images_have_one_channel(tmp_path):
    data = ready(paint(tmp_path, endings=("jpg", "png")), channels=1)
    assert data.train_dataset(0).element_spec[0].shape[-1] == 1
    assert data.input_shape == (8, 8, 1)


def test_a_broken_image_is_an_error_that_names_it(tmp_path):
    paint(tmp_path)
    whole = (tmp_path / "red" / "0.jpg").read_bytes()
    (tmp_path / "red" / "0.jpg").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"1 of 12 .*red/0.jpg: .*broken='skip'"):
        ready(tmp_path)


def test_broken_images_are_skipped_counted_and_told_once(tmp_path, caplog):
    paint(tmp_path)
    for name in ("0.jpg", "5.png"):
        (tmp_path / "red" / name).write_text("no image")
    with caplog.at_level(logging.WARNING):
        data = ready(tmp_path, broken="skip", val_fraction=0.0)
    assert data.broken_files == [str(tmp_path / "red" / name) for name in ("0.jpg", "5.png")]
    assert sizes(data) == {"train": 10}
    assert [record.name for record in caplog.records] == ["lightning_tf.data.sources.skip_or_raise"]
    _, labels = flat(data.train_dataset(0))
    assert np.bincount(labels).tolist() == [6, 4]


def test_chosen_classes_only(tmp_path):
    paint(tmp_path, classes={**COLORS, "green": (0, 200, 0)})
    data = ready(tmp_path, classes=["red", "blue"])
    assert data.class_names == ["red", "blue"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"broken": "skpi"}, "Did you mean 'skip'"),
        ({"channels": 4}, "channels is 4"),
        ({"image_size": 0}, "image_size is 0"),
        ({"image_size": (8, 8, 3)}, "give (height, width)"),
        ({"classes": ["red", "bleu"]}, "Did you mean 'blue'"),
    ],
)
def test_bad_arguments_are_named(tmp_path, options, message):
    paint(tmp_path)
    with pytest.raises(ConfigurationError) as error:
        ready(tmp_path, **options)
    assert message in str(error.value)


def test_a_folder_with_one_class_only_is_refused(tmp_path):
    paint(tmp_path, classes={"red": (200, 0, 0)})
    with pytest.raises(DataError, match=r"1 class \(red\)"):
        ready(tmp_path)


def test_empty_folders_are_refused(tmp_path):
    with pytest.raises(DataError, match="no class folders"):
        ready(tmp_path)
    paint(tmp_path)
    (tmp_path / "yellow").mkdir()
    with pytest.raises(DataError, match="yellow holds no images"):
        ready(tmp_path)
    with pytest.raises(DataError, match="is no folder"):
        ready(tmp_path / "nowhere")


def test_folders_of_broken_images_only_are_refused(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.jpg").write_text("no image")
    with pytest.raises(DataError, match="can be decoded; give whole files"):
        ready(tmp_path, broken="skip")


def test_a_test_class_that_training_lacks_is_named(tmp_path):
    paint(tmp_path / "train")
    paint(tmp_path / "test", classes={"green": (0, 200, 0)})
    with pytest.raises(DataError, match="green"):
        ready(tmp_path)


def test_real_photos_are_read(real_data):
    data = ready(real_data / "cats_dogs", image_size=(48, 64), batch_size=50)
    assert sizes(data) == {"train": 990, "val": 110, "test": 400}
    assert data.class_names == ["cats", "dogs"]
    images, labels = flat(data.test_dataset())
    assert images.shape == (400, 48, 64, 3)
    assert 60 < images.mean() < 180
    assert np.bincount(labels).tolist() == [200, 200]


def test_fine_patterns_are_averaged_when_made_smaller(tmp_path):
    # White where a quarter's middle is looked at, black beside it.
    stripes = np.tile(np.array([0, 255, 255, 0], "uint8"), (32, 8))
    for name in COLORS:
        (tmp_path / name).mkdir()
        Image.fromarray(stripes).save(tmp_path / name / "stripes.png")
    images, _ = flat(ready(tmp_path, val_fraction=0.0).train_dataset(0))
    assert 100 < images[:, 2:6, 2:6].min() <= images[:, 2:6, 2:6].max() < 200
