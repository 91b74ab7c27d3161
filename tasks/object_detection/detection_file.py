"""Files of detections: COCO's results, a CSV table, JSON by image."""

import csv
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lightning_tf.tasks.object_detection.predicted_image import PredictedImage

DECIMALS = 3  # of a pixel


class DetectionFile(ABC):
    """A file that detections are written to, image by image.

    Args:
        path: The file; its folder is there.
        class_names: A name for each label.

    Attributes:
        suffix: Of the file's name.
    """

    suffix = "json"

    def __init__(self, path: Path, class_names: Sequence[str]) -> None:
        self.path, self.class_names = path, class_names
        self._file = path.open("w", newline="", encoding="utf-8")

    @abstractmethod
    def write(self, image: PredictedImage) -> None:
        """Write the detections of one image."""

    def close(self) -> None:
        """Write the end."""
        self._file.close()

    def drop(self) -> None:
        """Delete the file, which is not whole."""
        self._file.close()
        self.path.unlink(missing_ok=True)

    def _found(self, image: PredictedImage) -> Iterator[tuple[int, str, float, list[float]]]:
        """Yield label, class name, score and xyxy box of each detection."""
        rows = zip(image.labels.tolist(), image.scores, image.boxes.tolist(), strict=True)
        for label, score, box in rows:
            # The shortest number that is this float32 again.
            yield label, self.class_names[label], float(str(score)), _rounded(box)


class CsvFile(DetectionFile):
    """A row for each detection; with its columns it can be read as annotations again."""

    suffix = "csv"
    columns = ("filename", "width", "height", "class", "score", "xmin", "ymin", "xmax", "ymax")

    def __init__(self, path: Path, class_names: Sequence[str]) -> None:
        super().__init__(path, class_names)
        self._rows = csv.writer(self._file)
        self._rows.writerow(self.columns)

    def write(self, image: PredictedImage) -> None:
        """Write the rows of one image; none where nothing was found."""
        height, width = image.size or ("", "")
        for _, name, score, box in self._found(image):
            self._rows.writerow([image.file_name, width, height, name, score, *box])


class JsonFile(DetectionFile):
    """A list with one dict for each image, also where nothing was found in it."""

    def __init__(self, path: Path, class_names: Sequence[str]) -> None:
        super().__init__(path, class_names)
        self._begin = "[\n"

    def write(self, image: PredictedImage) -> None:
        """Write the dict of one image."""
        found = [
            {"class": name, "score": score, "box": box}
            for _, name, score, box in self._found(image)
        ]
        height, width = image.size or (None, None)
        named = {"file_name": image.file_name, "index": image.index}
        self._item({**named, "width": width, "height": height, "detections": found})

    def close(self) -> None:
        """Write the end of the list."""
        self._file.write("[]\n" if self._begin == "[\n" else "\n]\n")
        super().close()

    def _item(self, item: dict[str, Any]) -> None:
        self._file.write(self._begin + json.dumps(item, ensure_ascii=False, allow_nan=False))
        self._begin = ",\n"


class CocoFile(JsonFile):
    """COCO's results: a list with one dict for each detection, ``bbox`` left, top, width, height.

    Images and categories are numbered from 1, as `write_coco` does in the order of the data and of
    the class names; ``file_name`` and ``category`` beside them name both.

    See "Results format", https://cocodataset.org/#format-results.
    """

    def write(self, image: PredictedImage) -> None:
        """Write the dicts of one image; none where nothing was found."""
        for label, name, score, (x0, y0, x1, y1) in self._found(image):
            self._item(
                {
                    "image_id": image.index + 1,
                    "category_id": label + 1,
                    "bbox": _rounded([x0, y0, x1 - x0, y1 - y0]),
                    "score": score,
                    "file_name": image.file_name,
                    "category": name,
                }
            )


FORMATS: dict[str, type[DetectionFile]] = {"coco": CocoFile, "csv": CsvFile, "json": JsonFile}


def _rounded(numbers: Sequence[float]) -> list[float]:
    return [round(number, DECIMALS) for number in numbers]
