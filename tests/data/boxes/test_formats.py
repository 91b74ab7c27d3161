"""Layouts of folders and files that are read, written, and recognized."""

import json

import numpy as np
import pandas as pd
import pytest
from helpers.boxes import (
    BOX,
    SIZE,
    coco_content,
    examples,
    ready,
    voc_object,
    voc_xml,
    write_coco_file,
    write_image,
    write_voc_item,
    write_yolo_item,
)

from lightning_tf.data import (
    BoxArrays,
    BoxTable,
    CocoAnnotations,
    DigitScenes,
    ImageAnnotation,
    VocFolder,
    YoloFolder,
    detection_data,
    write_coco,
    write_voc,
)
from lightning_tf.exceptions import ConfigurationError, DataError


def sizes(data):
    return {name: len(split.indices) for name, split in data.splits.items()}


def random_annotations(root, count=12):
    """Images in files with objects whose coordinates are any floats."""
    random, items = np.random.RandomState(5), []
    for number in range(count):
        size = tuple(random.randint(30, 400, 2).tolist())
        path = write_image(root / f"bild {number} ä.png", size)
        low = random.uniform(0, 0.5, (number % 4, 2)) * size[::-1]
        high = low + random.uniform(0.01, 0.5, low.shape) * size[::-1]
        boxes = np.concatenate([low, high], 1)
        labels = [("cat", "größe & <x>", "dog")[n % 3] for n in range(len(boxes))]
        marks = random.rand(2, len(boxes)) < 0.3
        items.append(ImageAnnotation(path, size, boxes, labels, *marks))
    return items


def all_equal(data, items):
    read = {item.path.name: item for item in data.annotations}
    return all(read[item.path.name].equals(item) for item in items) and len(read) == len(items)


def test_voc_is_written_and_read_back_exactly(tmp_path):
    items = random_annotations(tmp_path / "source")
    folder = write_voc(tmp_path / "voc", items)
    assert all_equal(ready(VocFolder(folder, val_fraction=0.0)), items)


def test_coco_is_written_and_read_back_exactly(tmp_path):
    items = random_annotations(tmp_path)
    names = ["größe & <x>", "dog", "cat"]
    data = ready(CocoAnnotations(write_coco(tmp_path / "a.json", items, names), val_fraction=0.0))
    assert all_equal(data, items)
    assert data.class_names == names


def test_extreme_floats_survive_the_width_of_coco(tmp_path):
    random = np.random.RandomState(0)
    low = random.uniform(0, 1, (2000, 2)) ** 9 * 1000
    boxes = np.concatenate([low, low + random.uniform(0, 1, low.shape) ** 5 * 900 + 0.1], 1)
    path = write_image(tmp_path / "a.png", (2000, 2000))
    item = ImageAnnotation(path, (2000, 2000), boxes, ["x"] * 2000)
    data = ready(CocoAnnotations(write_coco(tmp_path / "a.json", [item]), val_fraction=0.0))
    np.testing.assert_array_equal(data.annotations[0].boxes, boxes)


def test_images_in_memory_are_written_with_their_pixels(tmp_path):
    pixels = np.random.RandomState(0).randint(0, 255, (*SIZE, 3), np.uint8)
    data = ready(BoxArrays(([pixels], [{"boxes": [BOX], "labels": [3]}]), val_fraction=0.0))
    read = ready(VocFolder(write_voc(tmp_path / "v", data.annotations), val_fraction=0.0))
    assert (read.original(0) == pixels).all()
    assert read.annotations[0].equals(data.annotations[0])


def test_writers_refuse_what_could_not_be_read_back(tmp_path):
    one = ImageAnnotation(write_image(tmp_path / "x" / "a.png"), SIZE, [BOX], ["cat"])
    two = ImageAnnotation(write_image(tmp_path / "y" / "a.png"), SIZE, [BOX], ["cat"])
    with pytest.raises(DataError, match="have one stem"):
        write_voc(tmp_path / "voc", [one, two])
    with pytest.raises(DataError, match=r"lies outside of .*images_dir="):
        write_coco(tmp_path / "z" / "a.json", [one])
    with pytest.raises(DataError, match="class_names lacks 'cat'"):
        write_coco(tmp_path / "a.json", [one], ["dog"])
    with pytest.raises(DataError, match="has no file"):
        write_coco(tmp_path / "a.json", [ImageAnnotation(None, SIZE, [BOX], ["cat"])])


@pytest.mark.parametrize("inner", ["", "VOC2007"])
def test_the_layout_of_vocdevkit_is_read(tmp_path, inner):
    root = tmp_path / "VOCdevkit" / inner
    for number in range(4):
        path = root / "JPEGImages" / f"00{number}.jpg"
        write_image(path)
        (root / "Annotations").mkdir(exist_ok=True)
        xml = voc_xml(voc_object(), filename=path.name, source="The VOC2007 Database")
        (root / "Annotations" / f"00{number}.xml").write_text(xml)
    lists = root / "ImageSets" / "Main"
    lists.mkdir(parents=True)
    for name, stems in (("trainval", "000\n001\n"), ("test", "002\n003.jpg\n"), ("cat_train", "x")):
        (lists / f"{name}.txt").write_text(stems)
    data = ready(detection_data(tmp_path / "VOCdevkit", val_fraction=0.5, pixel_origin=0))
    assert sizes(data) == {"train": 1, "val": 1, "test": 2}
    assert isinstance(data, VocFolder)
    assert data.annotations[0].boxes.tolist() == [list(BOX)]
    from_one = ready(VocFolder(tmp_path / "VOCdevkit"))
    assert from_one.annotations[0].boxes.tolist() == [[2, 3, 23, 14]]


def test_lists_of_splits_may_be_given_or_lie_beside_the_folder(tmp_path):
    for stem in "abcd":
        write_voc_item(tmp_path / "cats", stem, voc_xml(voc_object(), filename=f"{stem}.png"))
    (tmp_path / "cats_train.txt").write_text("a\nb\n")
    (tmp_path / "cats_test.txt").write_text("c\n")
    data = ready(detection_data("cats", data_dir=tmp_path, val_fraction=0.0))
    assert sizes(data) == {"train": 2, "test": 1}
    (tmp_path / "mine.txt").write_text("d\n")
    given = {"train": tmp_path / "cats_train.txt", "val": tmp_path / "mine.txt"}
    assert sizes(ready(VocFolder(tmp_path / "cats", splits=given))) == {"train": 2, "val": 1}


def test_images_and_xml_may_lie_side_by_side(tmp_path):
    write_image(tmp_path / "a.png")
    (tmp_path / "a.xml").write_text(voc_xml(voc_object()))
    assert isinstance(ready(detection_data(tmp_path, val_fraction=0.0)), VocFolder)


def test_coco_ids_may_have_holes_and_their_order_is_that_of_the_classes(tmp_path):
    data = ready(detection_data(write_coco_file(tmp_path), val_fraction=0.0))
    assert data.class_names == ["cat", "dog"]
    assert [item.labels for item in data.annotations] == [("dog",)] * 2
    assert data.annotations[0].boxes.tolist() == [[3, 4, 23, 14]]


def test_a_crowd_with_a_mask_is_ignored(tmp_path):
    content = coco_content()
    mask = {"counts": [272, 2, 4, 4], "size": list(SIZE)}
    content["annotations"][0].update(iscrowd=1, segmentation=mask)
    data = ready(CocoAnnotations(write_coco_file(tmp_path, content), val_fraction=0.0))
    _, objects = examples(data.train_dataset(0))
    row = objects["index"].tolist().index(0)
    assert objects["ignored"][row].tolist() == [True]


def test_unicode_names_of_files_and_classes_are_read(tmp_path):
    write_image(tmp_path / "straße.png")
    content = coco_content(1, categories=[{"id": 90, "name": "苹果"}])
    content["images"][0]["file_name"] = "straße.png"
    assert ready(CocoAnnotations(write_coco_file(tmp_path, content))).class_names == ["苹果"]


def test_a_folder_in_the_layout_of_coco_is_read(tmp_path):
    for split in ("train", "val"):
        content = coco_content()
        for number in range(2):
            write_image(tmp_path / f"{split}2017" / f"{number}.png")
        (tmp_path / "annotations").mkdir(exist_ok=True)
        for kind in ("instances", "captions"):
            path = tmp_path / "annotations" / f"{kind}_{split}2017.json"
            path.write_text(json.dumps(content if kind == "instances" else {}))
    data = ready(detection_data(tmp_path))
    assert isinstance(data, CocoAnnotations)
    assert sizes(data) == {"train": 2, "val": 2}


@pytest.mark.parametrize("names", ["list", "dict", "classes.txt", ""])
def test_yolo_folders_name_their_classes(tmp_path, names):
    write_yolo_item(tmp_path, "a", "1 0.5 0.5 0.25 0.5\n")
    write_yolo_item(tmp_path, "b", "0 0.5 0.5 0.25 0.5\n")
    if names == "classes.txt":
        (tmp_path / "classes.txt").write_text("zebra\nant\n")
    elif names:
        text = "[zebra, ant]" if names == "list" else "{0: zebra, 1: ant}"
        (tmp_path / "data.yaml").write_text(f"train: images\nnames: {text}\n")
    data = ready(detection_data(tmp_path, val_fraction=0.0))
    assert isinstance(data, YoloFolder)
    assert data.class_names == (["zebra", "ant"] if names else ["0", "1"])
    assert data.annotations[0].labels == (data.class_names[1],)
    assert data.annotations[0].boxes.tolist() == [[15.0, 7.5, 25.0, 22.5]]


YOLO_SPLITS = {
    "folders": ("train: images/one\nval: images/two\n", {"train": ["a"], "val": ["b", "c"]}),
    "path": ("path: .\ntrain: [images/one, images/three]\nval: images/two\n", None),
    "exports": ("train: ../images/one\nval: ../images/two/images\n", DataError),
    "lists": ("train: first.txt\ntest: images/two\n", {"train": ["a", "d"], "test": ["b", "c"]}),
    "elsewhere": ("train: /nowhere/a\nval: /nowhere/b\n", {"train": []}),
    "number": ("train: 3\n", DataError),
    "twice": ("train: images/two\nval: images\n", DataError),
}


@pytest.mark.parametrize("name", YOLO_SPLITS)
def test_the_splits_of_a_yolo_yaml_are_read_from_where_it_says(tmp_path, name, caplog):
    for stem, split in (("a", "one"), ("b", "two"), ("c", "two"), ("d", "three")):
        write_yolo_item(tmp_path, stem, split=split)
    (tmp_path / "first.txt").write_text("./images/one/a.png\nimages/three/d.png\n")
    text, expected = YOLO_SPLITS[name]
    (tmp_path / "data.yaml").write_text(f"{text}names: [raccoon]\n")

    held_out = {} if "val:" in text else {"val_fraction": 0.0}
    for source in (tmp_path, tmp_path / "data.yaml"):
        data = detection_data(str(source), image_size=32, **held_out)
        if expected is DataError or name == "elsewhere":
            with pytest.raises(DataError, match=r"data\.yaml|train and the val|no images"):
                data.setup("fit")
            assert ("are not there; the folders" in caplog.text) == (name == "elsewhere")
            continue
        data.setup("fit")
        stems = {
            split: [data.annotations[row].path.stem for row in data._split(split).indices]
            for split in ("train", "val", "test")
            if data._split(split)
        }
        assert stems == (expected or {"train": ["a", "d"], "val": ["b", "c"]})
        assert all(item.labels == ("raccoon",) for item in data.annotations)


def test_in_the_folders_of_a_yolo_yaml_no_text_file_is_left_out_unsaid(tmp_path):
    write_yolo_item(tmp_path, "a", split="train")
    (tmp_path / "data.yaml").write_text("train: images/train\nnames: [raccoon]\n")
    (tmp_path / "labels/train/lost.txt").write_text("0 .5 .5 .2 .2\n")
    with pytest.raises(DataError, match=r"1 of 2 text files.*no image, the first is lost\.txt"):
        ready(YoloFolder(tmp_path, val_fraction=0.0))
    (tmp_path / "labels/train/lost.txt").unlink()
    write_image(tmp_path / "images/train/a.jpg")
    with pytest.raises(DataError, match=r"a\.jpg and a\.png have the stem of a\.txt"):
        ready(YoloFolder(tmp_path, val_fraction=0.0))


def test_yolo_folders_of_splits_are_read(tmp_path):
    write_yolo_item(tmp_path / "one", "a", split="train")
    write_yolo_item(tmp_path / "one", "b", split="val")
    write_yolo_item(tmp_path / "two" / "train", "a")
    write_yolo_item(tmp_path / "two" / "valid", "b")
    for name in ("one", "two"):
        assert sizes(ready(detection_data(tmp_path / name))) == {"train": 1, "val": 1}


def test_an_image_without_a_text_file_has_no_objects_which_is_told(tmp_path, caplog):
    write_yolo_item(tmp_path, "a")
    write_image(tmp_path / "images" / "b.png")
    data = ready(YoloFolder(tmp_path, val_fraction=0.0))
    assert [len(item.labels) for item in data.annotations] == [1, 0]
    assert "1 of 2 images" in caplog.text
    assert "b.png" in caplog.text


def test_six_digits_of_a_fraction_may_round_out_of_the_image(tmp_path, caplog):
    write_yolo_item(tmp_path, "a", "0 0.833334 0.5 0.333334 1.000000\n")
    data = ready(YoloFolder(tmp_path, val_fraction=0.0))
    assert data.annotations[0].boxes[0, 2] == SIZE[1]
    assert not caplog.text


def test_a_table_has_a_row_for_each_object(tmp_path):
    write_image(tmp_path / "images" / "a.png")
    write_image(tmp_path / "images" / "b.png")
    (tmp_path / "train.csv").write_text(
        "filename,width,height,class,xmin,ymin,xmax,ymax\n"
        "a.png,40,30,1,3,4,23,14\nb.png,40,30,,,,,\na.png,40,30,2,1.5,2,9,8\n"
    )
    data = ready(detection_data(tmp_path / "train.csv", val_fraction=0.0))
    assert isinstance(data, BoxTable)
    assert data.class_names == ["1", "2"]
    assert [len(item.labels) for item in data.annotations] == [2, 0]
    assert data.annotations[0].boxes.tolist() == [[3, 4, 23, 14], [1.5, 2, 9, 8]]

    frame = pd.read_csv(tmp_path / "train.csv")
    files = {"train": frame[frame.filename == "a.png"], "test": frame[frame.filename == "b.png"]}
    split = detection_data(files, images_dir=tmp_path / "images", val_fraction=0.0)
    assert sizes(ready(split)) == {"train": 1, "test": 1}
    with pytest.raises(DataError, match=r"a\.png is in the train and the test split"):
        ready(detection_data({"train": frame, "test": frame}, images_dir=tmp_path / "images"))


def test_arrays_of_one_size_and_integer_labels(tmp_path):
    images = np.zeros((3, *SIZE, 3), np.uint8)
    objects = [{"boxes": np.float32([BOX]), "labels": np.array([n])} for n in range(3)]
    data = ready(detection_data((images, objects), val_fraction=0.0))
    assert data.class_names == ["0", "1", "2"]
    named = ready(detection_data((images, objects), class_names=["c", "b", "a"], val_fraction=0.0))
    assert [item.labels for item in named.annotations] == [("c",), ("b",), ("a",)]
    with pytest.raises(DataError, match="label 2; class_names has 2"):
        ready(detection_data((images, objects), class_names=["c", "b"]))


@pytest.mark.parametrize("box_format", ["xyxy", "xywh", "center_xywh"])
@pytest.mark.parametrize("relative", [False, True])
def test_boxes_of_every_format_are_the_same(box_format, relative):
    x_min, y_min, x_max, y_max = BOX
    width, height = x_max - x_min, y_max - y_min
    box = {
        "xyxy": BOX,
        "xywh": (x_min, y_min, width, height),
        "center_xywh": (x_min + width / 2, y_min + height / 2, width, height),
    }[box_format]
    if relative:
        box = np.array(box) / [SIZE[1], SIZE[0], SIZE[1], SIZE[0]]
    pair = [np.zeros((*SIZE, 3), np.uint8)], [{"boxes": [box], "labels": ["cat"]}]
    name = f"rel_{box_format}" if relative else box_format
    data = ready(BoxArrays(pair, box_format=name, val_fraction=0.0))
    np.testing.assert_allclose(data.annotations[0].boxes, [BOX])


def test_names_modules_and_options_are_resolved(tmp_path):
    digits = detection_data("digits", train_scenes=4, batch_size=2)
    assert isinstance(digits, DigitScenes)
    assert detection_data(digits) is digits
    with pytest.raises(ConfigurationError, match="used as it is"):
        detection_data(digits, batch_size=3)
    with pytest.raises(ConfigurationError, match=r"'digts' is neither .* Did you mean 'digits'"):
        detection_data("digts")
    with pytest.raises(
        ConfigurationError, match=r"pixel_origin=1 has no meaning for data='digits'"
    ):
        detection_data("digits", pixel_origin=1)
    with pytest.raises(DataError, match="has no annotations"):
        detection_data(tmp_path)
    with pytest.raises(ConfigurationError, match="data is a int"):
        detection_data(3)
    with pytest.raises(ConfigurationError, match="'trian', which is no split"):
        detection_data({"trian": ([], [])})
