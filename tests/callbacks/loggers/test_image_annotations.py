import json
from pathlib import Path

import numpy as np
import pytest
from helpers.boring import BoringTask, Rows, fitted
from PIL import Image

from lightning_tf.callbacks import CSVLogger, JSONLinesLogger
from lightning_tf.callbacks.loggers.image_annotations import OPACITY, draw_annotations
from lightning_tf.data.images.class_colors import CLASS_COLORS
from lightning_tf.exceptions import DataError

BLACK = np.zeros((1, 100, 120, 3), "uint8")
ROAD = np.zeros((100, 120), int)
ROAD[60:, :50] = 1
MASK = {"mask_data": ROAD, "class_labels": {1: "road"}}
CORNERS = {"minX": 0.5, "minY": 0.25, "maxX": 0.75, "maxY": 0.5}


def boxes(**options):
    return {"box_data": [{"position": CORNERS, "class_id": 2, **options}]}


def test_a_mask_is_painted_over_its_classes_alone():
    (image,), captions = draw_annotations(BLACK, ["noon"], masks=[{"truth": MASK}])
    assert captions == ["noon\ntruth"]
    np.testing.assert_array_equal(image[98, 3], np.rint(np.array(CLASS_COLORS[1]) * OPACITY))
    assert not image[:55].any()
    assert not image[98, 60:].any()
    data = np.where(ROAD == 1, 3, 7)
    (named,), _ = draw_annotations(BLACK, masks=[{"": {**MASK, "mask_data": data}}])
    assert not named.any()  # 3 and 7 have no name
    (unnamed,), _ = draw_annotations(BLACK, masks=[{"": {"mask_data": data}}])
    assert unnamed[98, 3].any()
    assert unnamed[3, 118].any()


@pytest.mark.parametrize(
    "position",
    [
        {"position": CORNERS},
        {"position": {"middle": [0.625, 0.375], "width": 0.25, "height": 0.25}},
        {"position": {"minX": 60, "minY": 25, "maxX": 90, "maxY": 50}, "domain": "pixel"},
    ],
    ids=["corners", "middle", "pixels"],
)
def test_a_box_is_outlined_where_it_is(position):
    (image,), _ = draw_annotations(BLACK, boxes=[{"found": boxes(**position)}])
    for y, x in ((25, 88), (50, 75), (48, 60), (40, 90)):
        assert tuple(image[y, x]) == CLASS_COLORS[2], (y, x)
    assert not image[45, 80].any()
    assert not image[:20].any()


def test_every_set_of_marks_has_an_image_of_its_own():
    annotations = {"truth": boxes(), "found": boxes()}
    images, captions = draw_annotations(
        np.repeat(BLACK, 2, axis=0), ["a", "b"], [{"truth": MASK}, {}], [annotations, {}]
    )
    assert captions == ["a\ntruth", "a\nfound", "b"]
    assert images[0, 98, 3].any()
    assert not images[1, 98, 3].any()
    assert not images[2].any()


def test_small_images_are_enlarged_with_their_marks():
    mask = {"mask_data": np.eye(8, dtype=int)}
    (image,), _ = draw_annotations(np.zeros((1, 8, 8, 1)), masks=[{"m": mask}])
    assert image.shape == (96, 96, 3)
    assert image[2, 2].any()
    assert not image[2, 90].any()


@pytest.mark.parametrize(
    ("annotations", "message"),
    [
        ({"masks": []}, "0 masks for 1 images"),
        ({"masks": [{"m": {"mask_data": np.zeros((3, 3), int)}}]}, r"\(100, 120\)"),
        ({"masks": [{"m": {"mask_data": ROAD * 0.5}}]}, "integers"),
        ({"masks": [{"m": {"data": ROAD}}]}, "mask_data"),
        ({"boxes": [{"b": {"boxes": []}}]}, "give 'box_data'"),
        ({"boxes": [{"b": {"box_data": [{"class_id": 1}]}}]}, "give minX, minY"),
        ({"boxes": [{"b": boxes(position={**CORNERS, "minX": 0.9})}]}, "swap its sides"),
        ({"boxes": [{}], "captions": ["a", "b"]}, "2 captions for 1 images"),
    ],
    ids=["number", "size", "floats", "no mask", "no boxes", "no position", "sides", "captions"],
)
def test_annotations_that_do_not_fit_are_told(annotations, message):
    with pytest.raises(DataError, match=message):
        draw_annotations(BLACK, **annotations)


def test_loggers_draw_masks_and_boxes(tmp_path):
    class Sends(BoringTask):
        def on_fit_end(self):
            self.trainer.log_images("street", BLACK, ["noon"], [{"truth": MASK}], [{"b": boxes()}])
            self.trainer.log_images("plain", BLACK)

    class Old(Rows):
        def log_images(self, name, images, step, captions=None):
            self.sent.append(name)

    old = Old()
    loggers = [CSVLogger(), JSONLinesLogger(), old]
    trainer = fitted(Sends(), max_epochs=1, default_root_dir=tmp_path, logger=loggers)
    folder = Path(trainer.log_dir)
    (grid,) = folder.glob("images/street*.png")
    (plain,) = folder.glob("images/plain*.png")
    with Image.open(grid) as marked, Image.open(plain) as unmarked:
        assert marked.size[0] > unmarked.size[0]  # two sets of annotations
        assert CLASS_COLORS[2] in [color for _, color in marked.getcolors(100_000)]
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert [line["name"] for line in lines if line["kind"] == "images"] == ["street", "plain"]
    assert old.sent == ["plain"]  # asked for no annotations, warned about where there are some
