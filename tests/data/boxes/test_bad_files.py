"""JSON, text files, tables and arrays that cannot be used are refused by name."""

import json

import numpy as np
import pytest
from helpers.boxes import coco_content, ready, write_coco_file, write_image, write_yolo_item

from lightning_tf.data import BoxArrays, BoxTable, CocoAnnotations, YoloFolder
from lightning_tf.exceptions import DataError


def coco(tmp_path, content, **options):
    path = write_coco_file(tmp_path, content)
    return ready(CocoAnnotations(path, image_size=32, val_fraction=0.0, **options))


def yolo(tmp_path, text, **options):
    write_yolo_item(tmp_path, "b")
    write_yolo_item(tmp_path, "a", text)
    return ready(YoloFolder(tmp_path, image_size=32, val_fraction=0.0, **options))


def change(**changes):
    return lambda content: content.update(changes)


def change_object(**changes):
    return lambda content: content["annotations"][0].update(changes)


COCO = {
    "bbox of length 3": (
        change_object(bbox=[3, 4, 20]),
        r"boxes\.json: 0\.png, object 1 has the bbox \[3, 4, 20\]",
        {"bad_boxes": "drop"},
    ),
    "bbox of text": (change_object(bbox=["3", 4, 20, 1]), "0.png, object 1", {"bad_boxes": "clip"}),
    "negative width": (change_object(bbox=[9, 9, -3, 2]), "0.png, object 1", {"bad_boxes": "drop"}),
    "unknown image": (
        change_object(image_id=99),
        "1 of 2 annotations of boxes.json belong to no image, the first to image_id 99",
        {"missing": "skip"},
    ),
    "no such category": (change_object(category_id=5), "category_id 5.*do not list", None),
    "no category_id": (
        lambda c: c["annotations"][0].pop("category_id"),
        "lacks 'category_id'",
        None,
    ),
    "no categories": (lambda c: c.pop("categories"), "has no list 'categories'", None),
    "an image twice": (
        lambda c: c["images"].append(c["images"][0]),
        "images has id 10 twice",
        None,
    ),
    "a file twice": (
        lambda c: c["images"].append({**c["images"][0], "id": 77}),
        "images has the file '0.png' twice",
        None,
    ),
    "a category without a name": (
        lambda c: c["categories"][0].update(name=None),
        r"categories\[0\] has the name None",
        None,
    ),
    "a crowd in words": (change_object(iscrowd="no"), "iscrowd 'no'; give 0 or 1", None),
    "an image that is not there": (
        lambda c: c["images"][0].update(file_name="gone.png"),
        "1 of 2 images of boxes.json are not there, the first is 'gone.png'.*images_dir=",
        {"missing": "skip"},
    ),
    "a path out of the folder": (
        lambda c: c["images"][0].update(file_name="../0.png"),
        "leads out of its folder",
        None,
    ),
}


@pytest.mark.parametrize("name", COCO)
def test_coco_files_that_cannot_be_used_are_refused_by_name(tmp_path, caplog, name):
    spoil, message, remedy = COCO[name]
    content = coco_content()
    spoil(content)
    with pytest.raises(DataError, match=message):
        coco(tmp_path, content)
    if remedy:
        data = coco(tmp_path, content, **remedy)
        assert sum(len(item.labels) for item in data.annotations) == 1
        assert caplog.text


def test_a_json_that_is_none_is_refused(tmp_path):
    path = write_coco_file(tmp_path)
    path.write_text(path.read_text()[:50])
    with pytest.raises(DataError, match=r"boxes\.json cannot be read as JSON"):
        ready(CocoAnnotations(path))
    path.write_text("[1, 2]")
    with pytest.raises(DataError, match=r"boxes\.json has no list 'images'"):
        ready(CocoAnnotations(path))


YOLO_ROWS = {
    "a polygon": ("0 0.1 0.1 0.2 0.1 0.2 0.2\n", r"a\.txt, row 1 has 7 numbers: a polygon"),
    "a word": ("0 0.5 0.5 0.2 0.2\n0 a b c d\n", r"a\.txt, row 2 is '0 a b c d'"),
    "a confidence": ("0 0.5 0.5 0.2 0.2 0.9\n", r"a\.txt, row 1"),
    "too few": ("0 0.5 0.5\n", r"a\.txt, row 1"),
    "a class of a half": ("0.5 0.5 0.5 0.2 0.2\n", r"a\.txt, row 1"),
    "pixels": ("0 20 15 10 10\n", r"a\.txt, object 1: 20 is no fraction"),
    "a class beyond the names": (
        "2 0.5 0.5 0.2 0.2\n",
        r"a\.txt, object 1 is of class 2; 2 are named",
    ),
    "no area": ("0 0.5 0.5 0 0.2\n", r"a\.txt, object 1 \(cat\).*no area"),
    "reaching out": ("0 0.9 0.5 0.5 0.2\n", r"a\.txt, object 1 \(cat\).*reaches out"),
}


@pytest.mark.parametrize("name", YOLO_ROWS)
def test_yolo_rows_that_are_no_boxes_are_refused_by_name(tmp_path, name):
    text, message = YOLO_ROWS[name]
    (tmp_path / "classes.txt").write_text("cat\ndog\n")
    with pytest.raises(DataError, match=message):
        yolo(tmp_path, text)


def test_an_empty_text_file_is_an_image_without_objects(tmp_path, caplog):
    data = yolo(tmp_path, "\n")
    assert [len(item.labels) for item in data.annotations] == [0, 1]
    assert not caplog.text
    assert len(ready(YoloFolder(tmp_path, empty="drop", val_fraction=0.0)).annotations) == 1
    assert "1 images without objects are left out" in caplog.text


def table(tmp_path, rows):
    write_image(tmp_path / "a.png")
    path = tmp_path / "boxes.csv"
    path.write_text("filename,class,xmin,ymin,xmax,ymax\n" + rows)
    return BoxTable(path, image_size=32, val_fraction=0.0)


TABLES = {
    "no class": ("a.png,,1,2,9,8\n", r"row 0 \(a\.png\) has no class"),
    "no file name": (",cat,1,2,9,8\n", "row 0 has no filename"),
    "no side": ("a.png,cat,1,2,,8\n", r"a\.png, object 1 \(cat\) \[1, 2, nan, 8\] lacks a number"),
    "no such image": ("b.png,cat,1,2,9,8\n", "1 of 1 images .*'b.png'.*images_dir="),
    "a path out of the folder": ("../a.png,cat,1,2,9,8\n", "leads out of its folder"),
    "no rows": ("", "has no rows"),
}


@pytest.mark.parametrize("name", TABLES)
def test_rows_that_cannot_be_used_are_refused_by_name(tmp_path, name):
    rows, message = TABLES[name]
    with pytest.raises(DataError, match=message):
        ready(table(tmp_path, rows))


def test_a_table_without_a_column_is_refused(tmp_path):
    (tmp_path / "boxes.csv").write_text("filename,label,xmin,ymin,xmax,ymax\na.png,cat,1,2,3,4\n")
    with pytest.raises(DataError, match="has no column 'class'"):
        ready(BoxTable(tmp_path / "boxes.csv"))


def test_names_of_classes_stay_as_a_table_writes_them(tmp_path):
    data = ready(table(tmp_path, "a.png,007,1,2,9,8\na.png,7,2,2,9,8\n"))
    assert sorted(data.class_names) == ["007", "7"]


def test_a_class_that_is_listed_twice_is_told(tmp_path, caplog):
    write_yolo_item(tmp_path, "0", "1 .5 .5 .4 .4\n")
    (tmp_path / "data.yaml").write_text("names: [a, a]\n")
    assert ready(YoloFolder(tmp_path, image_size=32, val_fraction=0.0)).class_names == ["a"]
    assert "listed more than once are one: a" in caplog.text


def test_a_byte_order_mark_before_a_row_is_none_of_it(tmp_path):
    write_yolo_item(tmp_path, "0", "\ufeff0 .5 .5 .4 .4\n")
    assert ready(YoloFolder(tmp_path, image_size=32, val_fraction=0.0)).class_names == ["0"]


def of_array(boxes, labels):
    return [np.zeros((9, 9, 3), "uint8")], [{"boxes": boxes, "labels": labels}]


ARRAYS = {
    "fewer dicts than images": (([np.zeros((9, 9, 3), "uint8")], []), "1 images and 0 dicts"),
    "no labels": (
        ([np.zeros((9, 9, 3), "uint8")], [{"boxes": [[1, 1, 2, 2]]}]),
        "train image 0 are no dict with 'boxes' and 'labels'",
    ),
    "three numbers": (
        ([np.zeros((9, 9, 3), "uint8")], [{"boxes": [[1, 1, 2]], "labels": ["x"]}]),
        r"boxes of train image 0 have shape \(1, 3\)",
    ),
    "two labels for a box": (
        ([np.zeros((9, 9, 3), "uint8")], [{"boxes": [[1, 1, 2, 2]], "labels": ["x", "y"]}]),
        "train image 0 has boxes of shape .*2 labels",
    ),
    "words for numbers": (of_array([["a", "b", "c", "d"]], ["x"]), "boxes .* no numbers"),
    "boxes of unequal length": (of_array([[1, 1, 2, 2], [1]], ["x", "x"]), "boxes .* no numbers"),
    "no boxes": (of_array(None, ["x"]), r"boxes of train image 0 have shape \(\)"),
    "labels that are none": (of_array([[1, 1, 2, 2]], None), "labels of train image 0 are None"),
    "one name for a list": (of_array([[1, 1, 2, 2]], "x"), "labels of train image 0 are 'x'"),
    "a label that is none": (of_array([[1, 1, 2, 2]], [None]), "has label None"),
    "a label of a list": (of_array([[1, 1, 2, 2]], [[0]]), r"has label \[0\]"),
    "half a label": (of_array([[1, 1, 2, 2]], [0.5]), "has label 0.5"),
    "a label of no number": (of_array([[1, 1, 2, 2]], [float("nan")]), "has label nan"),
    "a label that is true": (of_array([[1, 1, 2, 2]], [np.True_]), "has label True"),
    "an empty name": (of_array([[1, 1, 2, 2]], [" "]), "has label ' '"),
    "padding": (of_array([[1, 1, 2, 2]], [-1]), "has label -1; leave rows of padding out"),
    "a dict of stacked arrays": (
        (np.zeros((2, 9, 9, 3), "uint8"), {"boxes": np.zeros((2, 1, 4)), "labels": [[0], [0]]}),
        "objects of the train data are a dict; give a list",
    ),
    "no dicts": ((np.zeros((2, 9, 9, 3), "uint8"), None), "objects .* are a NoneType"),
    "no images": (([], []), "has no images"),
    "no objects at all": (
        ([np.zeros((9, 9, 3), "uint8")], [{"boxes": [], "labels": []}]),
        "No image has an object",
    ),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_that_do_not_fit_are_refused(name):
    pair, message = ARRAYS[name]
    with pytest.raises(DataError, match=message):
        ready(BoxArrays(pair, val_fraction=0.0))


@pytest.mark.parametrize("label", [1, np.int64(1), 1.0, b"b", "b"])
def test_labels_of_every_kind_name_the_class(label):
    pair = of_array([[1, 1, 5, 5]], [label])
    data = BoxArrays(pair, class_names=["a", "b"], val_fraction=0.0)
    images_and_objects = next(iter(ready(data).train_dataset(0)))
    assert images_and_objects[1]["labels"].numpy().tolist() == [[1]]


def test_what_arrays_say_and_nobody_reads_is_told(caplog):
    images, objects = of_array([[1, 1, 5, 5]], ["x"])
    more = {**objects[0], "iscrowd": [True], "masks": np.zeros((1, 9, 9), bool)}
    ready(BoxArrays((images, [more]), val_fraction=0.0))
    assert "not used: iscrowd, masks" in caplog.text


def test_a_json_number_that_is_none_is_a_bad_box(tmp_path):
    content = coco_content()
    content["annotations"][0]["bbox"] = [float("nan"), 1, 2, 3]
    assert "NaN" in json.dumps(content)
    with pytest.raises(DataError, match=r"0\.png, object 1 \(dog\).*lacks a number"):
        coco(tmp_path, content)
