"""Every bad input: what is refused by name, and what an option makes of it; nothing is lost unsaid."""

import json
import re
import shutil
import time

import numpy as np
import pytest
from helpers.boxes import (
    BOX,
    SIZE,
    coco_content,
    ready,
    voc_object,
    voc_xml,
    write_coco_file,
    write_image,
    write_voc_item,
    write_yolo_item,
)

from lightning_tf.data import BoxArrays, BoxTable, CocoAnnotations, VocFolder, YoloFolder
from lightning_tf.exceptions import ConfigurationError, DataError

BOMB = (
    '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "ha">'
    + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10 if n else "&a;"}">' for n in range(9))
    + "]><annotation><filename>&a8;</filename></annotation>"
)
PART = "<part><name>head</name><bndbox><xmin>4</xmin><ymin>5</ymin><xmax>9</xmax><ymax>9</ymax></bndbox></part>"
TURNED_ROUND = (
    "<annotation><object><bndbox><ymax>14</ymax><xmax>23</xmax><ymin>4</ymin><xmin>3</xmin></bndbox>"
    "<name>cat</name></object><size><height>30</height><width>40</width></size>"
    "<filename>a.png</filename></annotation>"
)


def voc(tmp_path, xml=None, **options):
    write_voc_item(tmp_path, "b")
    write_voc_item(tmp_path, "a", xml)
    return ready(VocFolder(tmp_path, image_size=32, val_fraction=0.0, **options))


def coco(tmp_path, content, **options):
    path = write_coco_file(tmp_path, content)
    return ready(CocoAnnotations(path, image_size=32, val_fraction=0.0, **options))


def yolo(tmp_path, text, **options):
    write_yolo_item(tmp_path, "b")
    write_yolo_item(tmp_path, "a", text)
    return ready(YoloFolder(tmp_path, image_size=32, val_fraction=0.0, **options))


def arrays(boxes, labels=None, **options):
    labels = ["cat"] * len(boxes) if labels is None else labels
    image = np.zeros((*SIZE, 3), np.uint8)
    pair = [image] * 2, [{"boxes": boxes, "labels": labels}, {"boxes": [BOX], "labels": ["cat"]}]
    return ready(BoxArrays(pair, image_size=32, val_fraction=0.0, **options))


def boxes_of(data, place=0):
    return data.annotations[place].boxes.tolist()


REFUSED_XML = {
    "a bomb": (BOMB, r"a\.xml declares an entity"),
    "an entity": (
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><annotation>&x;</annotation>',
        r"a\.xml declares an entity",
    ),
    "truncated": (voc_xml(voc_object())[:150], r"a\.xml is no whole XML file"),
    "empty": (" ", r"a\.xml is no whole XML file"),
    "a page": ("<html><body>404</body></html>", r"a\.xml holds a <html>"),
    "not UTF-8": (b"<annotation>\xff\xfe</annotation>", r"a\.xml is no whole XML file"),
    "above 1 MB": (voc_xml("<x/>" * 2**18), r"a\.xml has \d+ bytes, more than"),
    "deeply nested above 1 MB": ("<a>" * 200_000 + "</a>" * 200_000, r"a\.xml has \d+ bytes"),
    "an object without a name": (
        voc_xml(voc_object(), voc_object(name=" ")),
        r"a\.xml, object 2 has no name",
    ),
    "no bndbox": (
        voc_xml("<object><name>cat</name></object>"),
        r"a\.xml, object 1 \(cat\) .*lacks a number",
    ),
    "no number": (
        voc_xml(voc_object(box=("x", 4, 23, 14))),
        r"a\.xml, object 1 \(cat\) \[nan, 4, 23, 14\] lacks a number",
    ),
}


@pytest.mark.parametrize("name", REFUSED_XML)
def test_xml_that_cannot_be_used_is_refused_by_name_at_once(tmp_path, name):
    xml, message = REFUSED_XML[name]
    start = time.monotonic()
    with pytest.raises(DataError, match=message):
        voc(tmp_path, xml)
    assert time.monotonic() - start < 5.0


TAKEN_XML = {
    "children in another order": (TURNED_ROUND, [list(BOX)], ""),
    "floats": (
        voc_xml(voc_object(box=(3.25, 4.000001, 23.5, "14.70000076293945"))),
        [[3.25, 4.000001, 23.5, 14.70000076293945]],
        "",
    ),
    "no objects": (voc_xml(), [], ""),
    "no size": ("<annotation>" + voc_object() + "</annotation>", [list(BOX)], ""),
    "size 0": (voc_xml(voc_object(), size=(0, 0)), [list(BOX)], ""),
    "another size": (
        voc_xml(voc_object(), size=(300, 400)),
        [list(BOX)],
        r"1 annotations give another size than their image .*a\.xml \(400 x 300 for 40 x 30\)",
    ),
    "height and width swapped": (
        voc_xml(voc_object(), size=SIZE[::-1]),
        [list(BOX)],
        r"a\.xml \(30 x 40 for 40 x 30\); the image's counts",
    ),
    "a part with a box of its own": (voc_xml(voc_object(extra=PART)), [list(BOX)], ""),
    "another file name": (
        voc_xml(voc_object(), filename="other.png"),
        [list(BOX)],
        r"1 annotations name another file .*a\.xml with 'other\.png'",
    ),
    "a path as file name": (voc_xml(voc_object(), filename="/home/me/a.png"), [list(BOX)], ""),
    "a path out of the folder": (
        voc_xml(voc_object(), filename="../../secret.png"),
        [list(BOX)],
        "the image of the same stem counts",
    ),
    "pixels from 1": (
        voc_xml(voc_object(), source="The VOC2012 Database"),
        [[2, 3, 23, 14]],
        r"1 of 2 annotations come from VOC.*pixel_origin=",
    ),
    "an exact duplicate": (
        voc_xml(voc_object(), voc_object()),
        [list(BOX)] * 2,
        r"1 objects have the box and class of another one and are kept, .*a\.xml, objects 1 and 2",
    ),
}


@pytest.mark.parametrize("name", TAKEN_XML)
def test_odd_xml_is_taken_and_what_is_odd_is_told(tmp_path, caplog, name):
    xml, boxes, told = TAKEN_XML[name]
    data = voc(tmp_path, xml)
    assert boxes_of(data) == boxes
    assert data.annotations[0].size == SIZE
    assert re.search(told, caplog.text)
    if not told:
        assert not caplog.text


def test_names_keep_spaces_and_umlauts_and_two_spellings_are_told(tmp_path, caplog):
    xml = voc_xml(voc_object("grüne  Ampel "), voc_object("Cat", (1, 1, 9, 9)))
    assert voc(tmp_path, xml).class_names == ["Cat", "cat", "grüne Ampel"]
    assert re.search(r"'Cat' \(1 objects\) and 'cat' \(1 objects\) differ in spelling", caplog.text)
    joined = ready(VocFolder(tmp_path, class_map={"Cat": "cat"}, val_fraction=0.0))
    assert joined.class_names == ["cat", "grüne Ampel"]


BAD_BOXES = {
    "no area": ([5, 5, 5, 5], "has no area", None),
    "reversed": ([20, 5, 10, 9], "ends before it begins", None),
    "outside": ([50, 5, 60, 9], r"lies outside of the image of 40 x 30 \(width x height\)", None),
    "above": ([5, -9, 9, -2], "lies outside", None),
    "reaching out": ([30, 5, 50, 9], "reaches out", [30, 5, 40, 9]),
    "larger than the image": ([-5, -5, 100, 100], "reaches out", [0, 0, 40, 30]),
    "not a number": ([1, 2, float("nan"), 9], "lacks a number", None),
    "infinite": ([1, 2, float("inf"), 9], "lacks a number", None),
}


@pytest.mark.parametrize("name", BAD_BOXES)
def test_a_bad_box_is_refused_clipped_or_dropped_and_told_by_image_and_object(caplog, name):
    box, problem, clipped = BAD_BOXES[name]
    boxes = [list(BOX), box]
    with pytest.raises(
        DataError, match=rf"1 bad boxes: train image 0, object 2 \(cat\).*{problem}"
    ):
        arrays(boxes)
    assert boxes_of(arrays(boxes, bad_boxes="drop")) == [list(BOX)]
    assert re.search(rf"train image 0, object 2 \(cat\) .*{problem}.*: left out", caplog.text)
    caplog.clear()
    kept = [list(BOX)] + [clipped] * (clipped is not None)
    assert boxes_of(arrays(boxes, bad_boxes="clip")) == kept
    assert ("left out" if clipped is None else "clipped") in caplog.text


def test_sizes_given_as_corners_are_guessed_from_the_share_of_bad_boxes():
    boxes = [[20, 15, 8, 9], [30, 2, 9, 20], [2, 20, 9, 8]]
    with pytest.raises(DataError, match=r"they look like xywh; .*box_format="):
        arrays(boxes)
    assert boxes_of(arrays(boxes, box_format="xywh"))[0] == [20, 15, 28, 24]


def test_fractions_given_as_pixels_are_refused():
    image = np.zeros((*SIZE, 3), np.uint8)
    pair = [image], [{"boxes": [[0.1, 0.2, 0.5, 1.0]], "labels": ["cat"]}]
    with pytest.raises(DataError, match=r"fractions of the image.*'rel_xyxy'"):
        ready(BoxArrays(pair, val_fraction=0.0))
    data = ready(BoxArrays(pair, val_fraction=0.0, box_format="rel_xyxy"))
    assert boxes_of(data) == [[4, 6, 20, 30]]


def test_an_object_below_a_pixel_after_resizing_is_kept_and_told(caplog):
    data = arrays([[5, 5, 6, 6]])
    assert len(boxes_of(data)) == 1
    assert re.search(r"1 objects are below 1 pixel after resizing.*train image 0", caplog.text)


def test_a_crowded_image_keeps_all_its_objects():
    boxes = [[n % 39, n % 29, n % 39 + 1, n % 29 + 1] for n in range(500)]
    data = arrays(boxes)
    assert data.max_objects == 500


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


def test_two_images_of_one_stem_need_the_file_name(tmp_path):
    write_voc_item(tmp_path, "a", voc_xml(voc_object(), filename="a.jpg"))
    write_image(tmp_path / "images" / "a.jpg")
    assert ready(VocFolder(tmp_path, val_fraction=0.0)).annotations[0].path.name == "a.jpg"
    write_voc_item(tmp_path, "a", voc_xml(voc_object(), filename="b.jpg"))
    with pytest.raises(DataError, match=r"a\.jpg and a\.png have the stem of a\.xml"):
        ready(VocFolder(tmp_path))


def test_images_and_annotations_without_each_other_are_told(tmp_path, caplog):
    write_voc_item(tmp_path, "a")
    write_image(tmp_path / "images" / "bare.png")
    ready(VocFolder(tmp_path, val_fraction=0.0))
    assert "1 images have no annotation and are left out, the first is bare.png" in caplog.text

    (write_voc_item(tmp_path, "lone")).with_name("lone.xml")
    (tmp_path / "images" / "lone.png").unlink()
    with pytest.raises(DataError, match=r"1 of 2 annotations have no image, .*lone\.xml"):
        ready(VocFolder(tmp_path))
    assert len(ready(VocFolder(tmp_path, missing="skip", val_fraction=0.0)).annotations) == 1
    assert "lone.xml. They are skipped" in caplog.text


def test_a_split_that_names_what_is_not_there_is_refused(tmp_path):
    write_voc_item(tmp_path, "a")
    (tmp_path / "splits").mkdir()
    (tmp_path / "splits" / "train.txt").write_text("a\ngone\n")
    with pytest.raises(DataError, match=r"1 of 2 images of the train split .*the first is gone"):
        ready(VocFolder(tmp_path))
    (tmp_path / "splits" / "val.txt").write_text("a\n")
    with pytest.raises(DataError, match="a is in the train and the val split"):
        ready(VocFolder(tmp_path, missing="skip"))


def test_classes_that_training_or_the_data_lack_are_told(tmp_path, caplog):
    write_voc_item(tmp_path, "a")
    write_voc_item(tmp_path, "b", voc_xml(voc_object("dog"), filename="b.png"))
    (tmp_path / "splits").mkdir()
    (tmp_path / "splits" / "train.txt").write_text("a\n")
    (tmp_path / "splits" / "val.txt").write_text("b\n")
    data = ready(VocFolder(tmp_path, class_names=["cat", "cow", "dog"]))
    assert data.num_classes == 3
    assert "val has classes that train lacks: dog" in caplog.text
    assert "No object is of these classes: cow" in caplog.text
    with pytest.raises(DataError, match=r"b\.xml, object 1 is a 'dog', which class_names"):
        ready(VocFolder(tmp_path, class_names=["cat"]))
    with pytest.raises(ConfigurationError, match=r"class_map names 'dgo'.*'dog'"):
        ready(VocFolder(tmp_path, class_map={"dgo": "dog"}))
    with pytest.raises(ConfigurationError, match="class_names has 'cat' twice"):
        ready(VocFolder(tmp_path, class_names=["cat", "cat", "dog"]))


def test_a_broken_image_is_named_or_skipped(tmp_path, caplog):
    for stem in "abc":
        write_voc_item(tmp_path, stem, voc_xml(voc_object(), filename=f"{stem}.png"))
    noise = np.random.RandomState(0).randint(0, 255, (*SIZE, 3), np.uint8)
    from PIL import Image

    Image.fromarray(noise).save(tmp_path / "images" / "a.png")
    path = tmp_path / "images" / "a.png"
    path.write_bytes(path.read_bytes()[:900])  # a whole header, half of the pixels
    (tmp_path / "images" / "b.png").write_text("no image")
    with pytest.raises(
        DataError, match=r"1 of 3 images cannot be decoded, .*b\.png.*broken='skip'"
    ):
        ready(VocFolder(tmp_path))
    data = ready(VocFolder(tmp_path, broken="skip", val_fraction=0.0))
    assert [item.path.name for item in data.annotations] == ["c.png"]
    assert data.broken_files == [str(tmp_path / "images" / name) for name in ("a.png", "b.png")]
    assert "a.png" in caplog.text
    shutil.copy(tmp_path / "images" / "c.png", tmp_path / "images" / "b.png")
    with pytest.raises(DataError, match=r"a\.png"):
        ready(VocFolder(tmp_path))


def test_an_image_of_one_row_is_taken(tmp_path):
    box = (10, 0, 4000, 1)
    write_voc_item(tmp_path, "a", voc_xml(voc_object(box=box), size=(1, 5000)), size=(1, 5000))
    data = ready(VocFolder(tmp_path, image_size=32, val_fraction=0.0))
    assert boxes_of(data) == [list(box)]


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


def test_a_json_number_that_is_none_is_a_bad_box(tmp_path):
    content = coco_content()
    content["annotations"][0]["bbox"] = [float("nan"), 1, 2, 3]
    assert "NaN" in json.dumps(content)
    with pytest.raises(DataError, match=r"0\.png, object 1 \(dog\).*lacks a number"):
        coco(tmp_path, content)
