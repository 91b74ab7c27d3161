"""Batches of images with boxes, whatever the format."""

import logging
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf
from helpers.boxes import examples, ready, voc_object, voc_xml, write_voc_item

from lightning_tf.data import BoxArrays, UnannotatedImages, VocFolder, boxes_to_original
from lightning_tf.distribute.input_shard import InputShard
from lightning_tf.exceptions import ConfigurationError, DataError

RANDOM = np.random.RandomState(0)
SIZES = [tuple(RANDOM.randint(20, 90, 2).tolist()) for _ in range(24)]


def pair(sizes=SIZES, most=5):
    """Images of noise with 0 to `most` objects."""
    random, images, objects = np.random.RandomState(1), [], []
    for number, (height, width) in enumerate(sizes):
        count = number % (most + 1)
        corners = random.uniform(0, 1, (count, 2)) * [width - 9, height - 9]
        boxes = np.concatenate([corners, corners + random.uniform(3, 9, (count, 2))], 1)
        images.append(random.randint(0, 255, (height, width, 3), np.uint8))
        labels = [("cat", "dog")[n % 2] for n in range(count)]
        objects.append({"boxes": boxes, "labels": labels})
    return images, objects


def data_of(**options):
    options = {"image_size": (48, 64), "batch_size": 5, "val_fraction": 0.0, **options}
    return ready(BoxArrays(pair(), **options))


@pytest.mark.parametrize("in_memory", [False, True])
def test_a_batch_has_the_agreed_structure(in_memory):
    data = data_of(in_memory=in_memory)
    spec = data.train_dataset(0).element_spec
    assert (spec[0].shape.as_list(), spec[0].dtype) == ([None, 48, 64, 3], tf.uint8)
    assert {name: (x.shape.as_list(), x.dtype) for name, x in spec[1].items()} == {
        "boxes": ([None, 5, 4], tf.float32),
        "labels": ([None, 5], tf.int32),
        "ignored": ([None, 5], tf.bool),
        "frame": ([None, 4], tf.float32),
        "size": ([None, 2], tf.int32),
        "index": ([None], tf.int64),
    }


@pytest.mark.parametrize("in_memory", [False, True])
def test_batches_to_predict_lack_the_truth(in_memory):
    data = ready(BoxArrays({"test": pair()}, image_size=(48, 64), in_memory=in_memory))
    images, objects = examples(data.predict_dataset())
    assert sorted(objects) == ["frame", "index", "size"]
    assert objects["index"].tolist() == list(range(24))
    assert images.shape == (24, 48, 64, 3)


def test_streamed_and_kept_images_are_the_same():
    streamed, kept = (examples(data_of(in_memory=keep).train_dataset(2)) for keep in (False, True))
    assert (streamed[0] == kept[0]).all()
    for name, values in streamed[1].items():
        assert (values == kept[1][name]).all()


@pytest.mark.parametrize("resize", ["letterbox", "stretch"])
def test_boxes_come_back_to_the_original(resize):
    data = data_of(resize=resize)
    _, objects = examples(data.train_dataset(0))
    for row, index in enumerate(objects["index"]):
        item = data.annotations[index]
        count = len(item.labels)
        assert (objects["size"][row] == item.size).all()
        back = boxes_to_original(objects["boxes"][row], objects["frame"][row])
        assert np.abs(back[:count] - item.boxes).max(initial=0) <= 1e-3
        assert (objects["boxes"][row][count:] == 0).all()
        assert (objects["labels"][row] >= 0).sum() == count
        assert (objects["labels"][row][count:] == -1).all()


def test_an_epoch_is_a_function_of_seed_and_number_and_resumes_anywhere():
    data = data_of(seed=3)
    images, objects = examples(data.train_dataset(1))
    again, _ = examples(data_of(seed=3).train_dataset(1))
    assert (images == again).all()
    assert sorted(objects["index"]) == list(range(24))
    assert (examples(data.train_dataset(2))[1]["index"] != objects["index"]).any()
    resumed, rest = examples(data.train_dataset_from(1, 2))
    assert (resumed == images[10:]).all()
    assert (rest["index"] == objects["index"][10:]).all()


@pytest.mark.parametrize("in_memory", [False, True])
def test_workers_read_their_shards_of_every_batch(in_memory):
    data = data_of(in_memory=in_memory, seed=3)
    whole = list(data.train_dataset(1).as_numpy_iterator())
    shards = [
        list(data.dataset_for("train", 1, 0, InputShard(n, 1, 2)).as_numpy_iterator())
        for n in range(2)
    ]
    for (images, objects), *parts in zip(whole, *shards, strict=True):
        assert all(count == len(images) for _, count in parts)
        joined = np.concatenate([part[0] for part, _ in parts])
        assert (joined == images).all()
        index = np.concatenate([part[1]["index"] for part, _ in parts])
        assert (index == objects["index"]).all()


def test_the_most_objects_of_any_split_fit():
    few, many = pair(SIZES[:6], most=2), pair(SIZES[6:12], most=5)
    data = ready(BoxArrays({"train": few, "val": many}, image_size=32))
    assert data.max_objects == 5
    for dataset in (data.train_dataset(0), data.val_dataset()):
        assert dataset.element_spec[1]["boxes"].shape[1] == 5


def test_room_for_more_objects_may_be_asked_for_and_for_fewer_is_refused():
    assert data_of(max_objects=9).train_dataset(0).element_spec[1]["labels"].shape[1] == 9
    with pytest.raises(DataError, match=r"train image 5 has 5 objects, max_objects is 4"):
        data_of(max_objects=4)


def test_the_boxes_that_are_learned_from_are_those_of_the_training_batches(tmp_path):
    write_voc_item(tmp_path, "a", voc_xml(voc_object(), marked("difficult"), marked("crowd")))
    write_voc_item(tmp_path, "b", voc_xml(voc_object(box=(1, 1, 8, 8)), filename="b.png"))
    for option, count in (("ignore", 2), ("use", 3)):
        data = ready(VocFolder(tmp_path, difficult=option, val_fraction=0.0, image_size=32))
        _, objects = examples(data.train_dataset(0))
        learned = objects["boxes"][(objects["labels"] >= 0) & ~objects["ignored"]]
        assert len(learned) == count
        assert sorted(learned.tolist()) == sorted(data.training_objects()[0].tolist())


def marked(name):
    return voc_object(extra=f"<{name}>1</{name}>", box=(5, 5, 15, 15))


@pytest.mark.parametrize(
    ("option", "count", "ignored"), [("ignore", 2, [0, 1]), ("use", 2, [0, 0]), ("drop", 1, [0, 0])]
)
def test_difficult_objects_are_ignored_used_or_dropped(tmp_path, caplog, option, count, ignored):
    write_voc_item(tmp_path, "a", voc_xml(voc_object(), marked("difficult")))
    write_voc_item(
        tmp_path, "b", voc_xml(voc_object(), voc_object(box=(1, 1, 8, 8)), filename="b.png")
    )
    data = ready(VocFolder(tmp_path, difficult=option, val_fraction=0.0, image_size=32))
    _, objects = examples(data.train_dataset(0))
    row = objects["index"].tolist().index(0)
    assert (objects["labels"][row] >= 0).sum() == count
    assert objects["ignored"][row].tolist() == [bool(x) for x in ignored]
    assert ("1 difficult objects are left out" in caplog.text) == (option == "drop")


def test_crowds_are_ignored_whatever_difficult_says(tmp_path):
    write_voc_item(tmp_path, "a", voc_xml(voc_object(), marked("crowd")))
    for option in ("ignore", "use", "drop"):
        data = ready(VocFolder(tmp_path, difficult=option, val_fraction=0.0, image_size=32))
        _, objects = examples(data.train_dataset(0))
        assert objects["ignored"].tolist() == [[False, True]]


@pytest.mark.parametrize(("option", "count"), [("keep", 24), ("drop", 20)])
def test_images_without_objects_are_kept_or_dropped_and_told(caplog, option, count):
    data = data_of(empty=option)
    assert len(data.annotations) == count
    assert ("4 images without objects are left out" in caplog.text) == (option == "drop")
    _, objects = examples(data.train_dataset(0))
    assert len(objects["index"]) == count


def test_classes_are_renamed_left_out_and_ordered(caplog):
    data = data_of(class_map={"dog": None, "cat": "Katze"})
    assert data.class_names == ["Katze"]
    assert "class_map leaves out objects: 24 dog" in caplog.text
    assert data_of(class_names=["dog", "cat"]).annotations[2].labels == ("cat", "dog")
    _, objects = examples(data_of(class_names=["dog", "cat"]).train_dataset(0))
    row = objects["index"].tolist().index(2)
    assert objects["labels"][row].tolist() == [1, 0, -1, -1, -1]


def test_what_was_read_is_said_in_one_line(caplog):
    with caplog.at_level(logging.INFO):
        data = data_of(val_fraction=0.25)
    (record,) = caplog.records
    assert record.getMessage() == data.summary
    assert "24 images (train 18, val 6)" in data.summary
    assert "60 objects of 2 classes (cat 36, dog 24), 0 to 5 an image" in data.summary
    assert "4 images without objects" in data.summary


def test_validation_is_held_out_and_never_overlaps():
    data = data_of(val_fraction=0.25, test_fraction=0.25)
    rows = [split.indices for split in data.splits.values()]
    assert sorted(np.concatenate(rows).tolist()) == list(range(24))
    assert data_of(val_fraction=0.25, test_fraction=0.25, seed=9).splits[
        "val"
    ].indices.tolist() == (data.splits["val"].indices.tolist())


def test_one_image_is_enough_to_train_on():
    image, objects = pair(SIZES[:2], most=1)
    alone = ready(BoxArrays((image[1:], objects[1:]), image_size=32, val_fraction=0.5))
    assert len(examples(alone.train_dataset(0))[0]) == 1
    assert alone.val_dataset() is None


def test_the_original_is_at_hand(tmp_path):
    write_voc_item(tmp_path, "a")
    data = ready(VocFolder(tmp_path, image_size=16, val_fraction=0.0))
    assert data.original(0).shape == (30, 40, 3)
    assert (data_of().original(3) == pair()[0][3]).all()


@pytest.mark.parametrize(
    "options",
    [
        {"resize": "crop"},
        {"difficult": "skip"},
        {"bad_boxes": "ignore"},
        {"empty": "skip"},
        {"exif_boxes": "both"},
        {"image_size": 0},
        {"max_objects": 0},
        {"batch_size": 0},
        {"box_format": "yxyx"},
        {"missing": "drop"},
        {"broken": "drop"},
    ],
)
def test_an_unknown_option_is_refused_before_anything_is_read(options):
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        BoxArrays(pair(), **options)


def test_images_to_predict_need_no_annotations(tmp_path):
    write_voc_item(tmp_path, "a")
    array = np.zeros((20, 30, 3), np.uint8)
    path = tmp_path / "images" / "a.png"
    for images, count in ((tmp_path / "images", 1), (path, 1), (array, 1), ([array, path], 2)):
        data = ready(UnannotatedImages(images, image_size=32))
        pixels, objects = examples(data.predict_dataset())
        assert pixels.shape == (count, 32, 32, 3)
        assert sorted(objects) == ["frame", "index", "size"]
        assert data.train_dataset(0) is None
    with pytest.raises(DataError, match=r"gone\.png is no file"):
        ready(UnannotatedImages(Path("gone.png")))


@pytest.mark.parametrize("kind", ["iterator", "gray array", "pillow", "tensor", "arrays"])
def test_images_to_predict_may_be_of_every_kind(kind):
    frames = np.zeros((2, 20, 30, 3), np.uint8)
    images, count = {
        "iterator": (iter(list(frames)), 2),
        "gray array": (frames[0, ..., 0], 1),
        "pillow": (PIL.Image.fromarray(frames[0]), 1),
        "tensor": (tf.constant(frames[0]), 1),
        "arrays": (frames, 2),
    }[kind]
    data = UnannotatedImages(images, image_size=32)
    for _ in range(2):  # an iterator is not read again
        data.setup("predict")
        found = next(iter(data.predict_dataset()))[1]["size"]
        assert found.numpy().tolist() == [[20, 30]] * count


@pytest.mark.parametrize("images", [None, 3, lambda: iter([])], ids=["none", "number", "function"])
def test_what_is_no_image_to_predict_is_refused(images):
    with pytest.raises(DataError, match=r"The images are a .*; give a folder"):
        UnannotatedImages(images, image_size=32).setup("predict")


def test_without_an_image_nothing_is_predicted(tmp_path):
    for images in ([], iter([]), tmp_path):
        with pytest.raises(DataError, match=r"has no images; give at least one\."):
            UnannotatedImages(images, image_size=32).setup("predict")
