"""AnnotatedImages: images with boxes as letterboxed batches; the base of every source of them."""

import logging
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lightning_tf.checks import checked_choice, checked_integer
from lightning_tf.data.boxes.bad_boxes import BAD_BOXES, check_boxes, check_units, tell_bad_boxes
from lightning_tf.data.boxes.class_list import (
    map_classes,
    resolve_class_names,
    tell_classes_that_training_lacks,
)
from lightning_tf.data.boxes.data_summary import data_summary
from lightning_tf.data.boxes.detection_images import DetectionImages
from lightning_tf.data.boxes.image_annotation import ImageAnnotation
from lightning_tf.data.boxes.image_files import Content, ImageFiles
from lightning_tf.data.boxes.letterbox import RESIZES, Resize, boxes_to_input, letterbox_frame
from lightning_tf.data.boxes.object_arrays import object_arrays, room_for, tell_duplicates
from lightning_tf.data.boxes.rarest_class import hold_out_images
from lightning_tf.data.boxes.splits_of import check_owners
from lightning_tf.data.boxes.upright_boxes import EXIF_BOXES, turn_upright
from lightning_tf.data.images.checks import checked_image_size
from lightning_tf.data.images.read_pixels import read_pixels
from lightning_tf.data.indexed_data import IndexedData, Source, Split
from lightning_tf.data.pipeline.order import Indices
from lightning_tf.data.sources.skip_or_raise import ACTIONS
from lightning_tf.exceptions import DataError

CACHE_BYTES = 2**29
"""Up to here decoded images are kept in memory unless `in_memory` says otherwise."""
DIFFICULT = ("ignore", "use", "drop")
EMPTY = ("keep", "drop")

_log = logging.getLogger(__name__)

Annotations = dict[str, list[ImageAnnotation]]


class AnnotatedImages(IndexedData):
    """Images of any size with boxes; a subclass reads the annotations of a format.

    Batches are ``(images, objects)``. Images are uint8 of shape (batch, height, width, 3), 0 to
    255, upright, with gray of 114 beside what the aspect ratio leaves free. Objects are a dict:

    - ``boxes`` float32 (batch, max_objects, 4): xyxy in pixels of the input; padded with 0
    - ``labels`` int32 (batch, max_objects): padded with -1
    - ``ignored`` bool (batch, max_objects): neither a hit nor a miss
    - ``frame`` float32 (batch, 4): x0, y0, scale_x, scale_y; input = original * scale + offset
    - ``size`` int32 (batch, 2): height and width of the upright original
    - ``index`` int64 (batch,): the place in `annotations`

    Batches to predict lack boxes, labels and ignored.

    Attributes:
        annotations: One for each image, with checked boxes in pixels of the upright original,
            after `setup`.
        class_names: A name for each label, after `setup`; and `num_classes`, their number.
        max_objects: Room for objects, at least the most of an image of any split: none is cut.
        input_shape: Height, width and 3.
        value_range: (0.0, 255.0).
        broken_files: Images that were skipped, after `setup`.
        summary: What was read, in one line, after `setup`.

    Args:
        image_size: Height and width of the input, or one number for both.
        resize: ``letterbox`` keeps the aspect ratio, ``stretch`` does not.
        difficult: What becomes of objects that are marked as difficult: ``ignore`` marks them as
            ignored, ``use`` takes them as any other, ``drop`` leaves them out. Crowds are ignored.
        bad_boxes: What becomes of boxes without area, out of the image or without numbers:
            ``error``, ``clip`` or ``drop``; each is told by file and object.
        empty: Whether images without objects are kept: ``keep`` or ``drop``.
        class_names: The classes, in the order of their labels; None takes those of the data.
        class_map: New class names by old ones; None as the new one leaves its objects out.
        max_objects: Room for so many objects in every image; None is as many as the fullest has.
        exif_boxes: What boxes count where a photo is turned by EXIF: ``upright`` or ``stored``
            pixels; None looks at the sizes that the annotations give.
        missing: What becomes of annotations without an image, and images that a split names but
            nobody has annotated: ``error`` or ``skip``.
        broken: What becomes of images that cannot be decoded: ``error`` or ``skip``.
        in_memory: Decode and resize all images once; None does so up to half a gigabyte.
        val_fraction: Share of training images to hold out where the data bring no such split, 0.1
            by default. Every rare class has its share.
        test_fraction: The same for testing, 0 by default.
        batch_size: Images in a global batch.
        seed: Decides the order of training images; None follows the Trainer's seed.
        split_seed: Decides which images are held out.

    Raises:
        ConfigurationError: An option is unknown or out of range.
        DataError: The data cannot be used as they are; raised by `setup`.

    Example:
        A format of your own, a line an object, ``photo.jpg 10 20 50 80 cat``::

            class LineFile(AnnotatedImages):
                def read(self):
                    annotations = []
                    for line in Path("objects.txt").read_text().splitlines():
                        name, *box, label = line.split()
                        box = [float(number) for number in box]
                        annotations.append(ImageAnnotation(Path(name), (0, 0), [box], [label]))
                    return {"train": annotations}

            task = ObjectDetection(LineFile(image_size=320))
    """

    loads_together = True
    value_range = (0.0, 255.0)
    annotations: list[ImageAnnotation]
    class_names: list[str]
    num_classes: int
    max_objects: int
    summary: str

    def __init__(
        self,
        *,
        image_size: int | tuple[int, int] = 224,
        resize: Resize = "letterbox",
        difficult: Literal["ignore", "use", "drop"] = "ignore",
        bad_boxes: Literal["error", "clip", "drop"] = "error",
        empty: Literal["keep", "drop"] = "keep",
        class_names: Sequence[str] | None = None,
        class_map: Mapping[str, str | None] | None = None,
        max_objects: int | None = None,
        exif_boxes: Literal["upright", "stored"] | None = None,
        missing: Literal["error", "skip"] = "error",
        broken: Literal["error", "skip"] = "error",
        in_memory: bool | None = None,
        val_fraction: float | None = None,
        test_fraction: float | None = None,
        batch_size: int = 8,
        seed: int | None = None,
        split_seed: int = 0,
    ) -> None:
        """Check and keep the arguments."""
        super().__init__(batch_size, seed, split_seed, val_fraction, test_fraction)
        height, width = checked_image_size(image_size)
        self.input_shape = (height, width, 3)
        self.resize = checked_choice("resize", resize, RESIZES)
        self.broken_files: list[str] = []
        self._difficult = checked_choice("difficult", difficult, DIFFICULT)
        self._bad_boxes = checked_choice("bad_boxes", bad_boxes, BAD_BOXES)
        self._empty = checked_choice("empty", empty, EMPTY)
        self._names, self._class_map = class_names, dict(class_map or {})
        if exif_boxes is not None:
            checked_choice("exif_boxes", exif_boxes, EXIF_BOXES)
        self._exif_boxes = exif_boxes
        self._max_objects = (
            None if max_objects is None else checked_integer("max_objects", max_objects, 1)
        )
        self._missing = checked_choice("missing", missing, ACTIONS)
        self._broken = checked_choice("broken", broken, ACTIONS)
        self._in_memory = in_memory
        self._listed_classes: list[str] = []
        self._files = ImageFiles()

    # ---- what a subclass fills in

    def read(self) -> Annotations:
        """Return the annotations of ``train`` and of the splits that the data bring.

        Boxes are xyxy in pixels; sizes are what the annotations say of them, (0, 0) where nothing.
        An override may list the classes in an order of the data's own in `_listed_classes`.
        """
        raise NotImplementedError(f"{type(self).__name__} has no read; return annotations from it.")

    def where(self) -> str:
        """Return what the summary calls the data."""
        return type(self).__name__

    # ---- what others ask for

    def original(self, index: int) -> NDArray[np.uint8]:
        """Return the upright pixels of an image in its own size: uint8 (height, width, 3).

        Args:
            index: The place in `annotations`, as batches have it.
        """
        item = self.annotations[index]
        return read_pixels(item.path or "") if item.pixels is None else item.pixels

    def training_objects(self) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """Return boxes that are learned from, in pixels of the input, (boxes, 4), and labels."""
        split = self._split("train")
        items = [self.annotations[row] for row in split.indices] if split else []
        boxes, labels = [np.zeros((0, 4))], [np.zeros(0)]
        for item in items:
            frame = letterbox_frame(item.size, self.input_shape[:2], self.resize)
            ignored = item.crowd | (item.difficult & (self._difficult == "ignore"))
            boxes.append(boxes_to_input(item.boxes[~ignored], frame))
            named = np.array([self.class_names.index(name) for name in item.labels], np.int32)
            labels.append(named[~ignored])
        return np.concatenate(boxes).astype(np.float32), np.concatenate(labels).astype(np.int32)

    # ---- loading

    def load(self) -> dict[str, Split]:
        """Read annotations and images, check them and split them."""
        items, owners = self.workers.unless_one_fails(self._read_all)

        # Broken images before the splits: what is held out is drawn from whole ones.
        contents = self._files.decodable(self.workers, items, self._broken)
        self.broken_files = [str(x.path) for place, x in enumerate(items) if place not in contents]
        items = [items[place] for place in contents]
        owners = owners[list(contents)]
        if not items:
            raise DataError(f"No image of {self.where()} can be decoded; give whole files.")

        orientations = [
            self._files.orientation(item, content)
            for item, content in zip(items, contents.values(), strict=True)
        ]
        items = self.workers.unless_one_fails(lambda: self._check(items))
        wanted = self._wanted(items, owners)
        self.annotations = [items[place] for place in wanted]
        rows = self._split_rows(owners[wanted])
        self._learn_classes(rows)
        kept = list(contents.values())
        source = self._source(
            [kept[place] for place in wanted], [orientations[place] for place in wanted]
        )
        self.summary = data_summary(self.where(), self.annotations, rows, self.class_names)
        _log.info("%s", self.summary)
        self._files = ImageFiles()  # the headers of many files are not needed any more
        return {name: Split(source, indices) for name, indices in rows.items()}

    def _read_all(self) -> tuple[list[ImageAnnotation], NDArray[np.str_]]:
        """Return the annotations of all splits, and the split of each."""
        splits = {name: found for name, found in self.read().items() if found}
        items = [item for found in splits.values() for item in found]
        if not items:
            raise DataError(f"{self.where()} has no images; give at least one.")
        check_owners({name: [item.path for item in found] for name, found in splits.items()})

        if self._class_map:
            items = map_classes(items, self._class_map)
            mapped = (self._class_map.get(name, name) for name in self._listed_classes)
            self._listed_classes = [name for name in dict.fromkeys(mapped) if name is not None]
        return items, np.repeat(list(splits), [len(found) for found in splits.values()])

    def _check(self, items: list[ImageAnnotation]) -> list[ImageAnnotation]:
        """Bring sizes and boxes to upright images, and do with odd objects as the options say."""
        items = turn_upright(items, [self._files.header_of(x) for x in items], self._exif_boxes)
        check_units(items)
        items, told = check_boxes(items, self._bad_boxes)
        tell_bad_boxes(told)
        tell_duplicates(items)
        if self._difficult != "drop":
            return items

        difficult = sum(int(item.difficult.sum()) for item in items)
        if difficult:
            _log.warning("%d difficult objects are left out.", difficult)
        return [item.keep(~item.difficult) for item in items]

    def _wanted(
        self, items: Sequence[ImageAnnotation], owners: NDArray[np.str_]
    ) -> NDArray[np.int64]:
        """Return the places of the images to keep, as `empty` says."""
        full = np.array([bool(x.labels) for x in items]) | (owners == "predict")
        if self._empty == "keep" or full.all():
            return np.arange(len(items))
        _log.warning("%d images without objects are left out.", int((~full).sum()))
        if not full.any():
            raise DataError(f"No image of {self.where()} has an object; give some.")
        return np.flatnonzero(full)

    def _split_rows(self, owners: NDArray[np.str_]) -> dict[str, Indices]:
        rows = {name: np.flatnonzero(owners == name) for name in dict.fromkeys(owners.tolist())}
        if "train" not in rows:  # data to be measured or predicted alone
            return rows
        return hold_out_images(
            self.annotations, rows, self._val_fraction, self._test_fraction, self.split_seed
        )

    def _learn_classes(self, rows: Mapping[str, Indices]) -> None:
        items = self.annotations
        has_truth = any(name != "predict" for name in rows)
        self.class_names = (
            resolve_class_names(items, self._names, self._listed_classes)
            if has_truth
            else list(self._names or ())
        )
        self.num_classes = len(self.class_names)
        self.max_objects = room_for(items, self._max_objects)
        tell_classes_that_training_lacks(
            {name: {x for row in rows[name] for x in items[row].labels} for name in rows}
        )

    def _source(self, contents: Sequence[Content], orientations: Sequence[int]) -> Source:
        """Return the batches of all images, decoded now or in the pipeline."""
        image_size = self.input_shape[:2]
        objects = object_arrays(
            self.annotations,
            self.class_names,
            image_size,
            self.resize,
            self.max_objects,
            self._difficult == "ignore",
        )
        images = DetectionImages(contents, orientations, objects, image_size, self.resize)
        fits = len(contents) * int(np.prod(self.input_shape)) <= CACHE_BYTES
        keep = fits if self._in_memory is None else self._in_memory
        return images.cached(self.workers) if keep else images
