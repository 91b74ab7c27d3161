"""VOC folders that are refused by name, or taken with what is odd told; nothing is lost."""

import re
import shutil
import time

import numpy as np
import pytest
from helpers.boxes import (
    BOX,
    SIZE,
    boxes_of,
    ready,
    voc_object,
    voc_xml,
    write_image,
    write_voc_item,
)

from lightning_tf.data import VocFolder
from lightning_tf.exceptions import ConfigurationError, DataError

BOMB = (
    '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "ha">'
    + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10 if n else "&a;"}">' for n in range(9))
    + "]><annotation><filename>&a8;</filename></annotation>"
)
PART = (
    "<part><name>head</name>"
    "<bndbox><xmin>4</xmin><ymin>5</ymin><xmax>9</xmax><ymax>9</ymax></bndbox></part>"
)
TURNED_ROUND = (
    "<annotation><object>"
    "<bndbox><ymax>14</ymax><xmax>23</xmax><ymin>4</ymin><xmin>3</xmin></bndbox>"
    "<name>cat</name></object><size><height>30</height><width>40</width></size>"
    "<filename>a.png</filename></annotation>"
)


def voc(tmp_path, xml=None, **options):
    write_voc_item(tmp_path, "b")
    write_voc_item(tmp_path, "a", xml)
    return ready(VocFolder(tmp_path, image_size=32, val_fraction=0.0, **options))


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
