"""PredictionTable: what a task has found in new data, as a table with a row for each example."""

from __future__ import annotations

import importlib.util
import json
import math
import os
import textwrap
import warnings
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.checks import checked_choice, checked_path
from lightning_tf.data.images.image import checked_png
from lightning_tf.data.images.titled_images import titled_images
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.save_figure import save_figure
from lightning_tf.storage.remote_files import stored

HEAT_MAPS = ("grad_cam", "occlusion")  # how it is shown where a class was seen
FORMATS = ("csv", "jsonl", "parquet", "npz")
IN_A_GRID = 48  # images
LINE, LINES = 20, 3  # characters and lines of a label above an image


class PredictionTable:
    """Rows of predictions, in the order of the examples.

    Columns are ``file``, ``row`` or ``text``, which tell of which example a row is; of classes
    ``label`` (a name), ``class`` (its number), ``probability``, and ``probability_<label>`` for
    each; of several labels an example ``label``, all with a bar between them; of numbers their
    names; of boxes also ``score``, ``x_min``, ``y_min``, ``x_max`` and ``y_max``.

    Args:
        columns: Values by name, equally many of each.
        pixels: Returns images of some rows in [0, 1], shape (n, height, width, 1 or 3); None of
            what are no images.
        heat_maps: Returns where in such images classes were seen, in [0, 1] of shape (n, rows,
            columns), from the images, the classes' numbers and one of `HEAT_MAPS`; None where the
            network cannot tell.

    Attributes:
        frame: The table as a pandas DataFrame.

    Example:
        >>> table = PredictionTable({"file": ["a.png"], "label": ["cat"]})
        >>> table.frame["label"].tolist()
        ['cat']
        >>> table.save("labels.csv")
        PosixPath('labels.csv')
    """

    def __init__(
        self,
        columns: Mapping[str, Any],
        pixels: Callable[[Any], NDArray[np.floating]] | None = None,
        heat_maps: Callable[..., NDArray[np.floating]] | None = None,
    ) -> None:
        import pandas as pd

        self.frame = pd.DataFrame({name: _column(values) for name, values in columns.items()})
        self._pixels, self._heat_maps = pixels, heat_maps

    def __len__(self) -> int:
        """Return how many rows there are."""
        return len(self.frame)

    def __getitem__(self, name: str) -> Any:
        """Return a column."""
        return self.frame[name]

    def __repr__(self) -> str:
        """Return the table as pandas shows it."""
        return repr(self.frame)

    def _repr_html_(self) -> str:
        return str(self.frame.to_html(max_rows=20))

    def to_pandas(self) -> Any:
        """Return the table as a pandas DataFrame."""
        return self.frame

    @property
    def has_images(self) -> bool:
        """Whether each row is of an image, which `save_image_grid` draws."""
        return self._pixels is not None

    def records(self) -> list[dict[str, Any]]:
        """Return the rows as dicts of plain Python values, None where there is nothing."""
        columns = {str(name): _plain_values(self.frame[name]) for name in self.frame}
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the table; a file that stands there is replaced once the new one is whole.

        Args:
            path: Ends in ``.csv``, ``.jsonl``, ``.parquet`` (needs ``lightning-tf[parquet]``) or
                ``.npz``, an array for each column.

        Returns:
            The path.

        Raises:
            ConfigurationError: It has another ending, or pyarrow is not installed.
        """
        target = Path(checked_path("path", path))
        kind = target.suffix.lower().removeprefix(".")
        check_format(kind, str(path))
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{target.name}.part")
        try:
            self._write(part, kind)
            os.replace(part, target)  # whole now: readers see all of it or nothing
        finally:
            part.unlink(missing_ok=True)
        stored(target)
        return target

    def _write(self, path: Path, kind: str) -> None:
        if kind == "csv":
            self.frame.to_csv(path, index=False, encoding="utf-8", lineterminator="\n")
        elif kind == "jsonl":
            with path.open("w", encoding="utf-8") as file:
                # Not pandas, which rounds to 15 places behind the point.
                file.writelines(
                    f"{json.dumps(row, ensure_ascii=False)}\n" for row in self.records()
                )
        elif kind == "parquet":
            self.frame.to_parquet(path, index=False, engine="pyarrow")
        else:
            with zipfile.ZipFile(path, "w") as archive:  # np.savez takes no column "file"
                for name in self.frame:
                    with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                        array = _plain_array(self.frame[name])
                        np.lib.format.write_array(member, array, allow_pickle=False)

    def save_image_grid(
        self,
        path: str | os.PathLike[str],
        count: int | None = 96,
        heat_maps: str | None = None,
    ) -> list[Path]:
        """Draw images with their labels and probabilities, 48 in a grid.

        Args:
            path: Of the first grid, a PNG file; others are numbered behind it.
            count: How many images, the first ones; None is all.
            heat_maps: Lay over each image where its class was seen: ``grad_cam``, of
                `TransferLearning`, or ``occlusion``, of any network for images, which takes a
                prediction for each place that is covered.

        Returns:
            The files.

        Raises:
            ConfigurationError: The examples are no images, or the network has no such heat maps.
        """
        target = checked_png(path)
        if self._pixels is None:
            raise ConfigurationError(
                "save_image_grid draws images with a row each, and there are none: call save. "
                "Boxes are drawn by Trainer(callbacks=[DetectionWriter(save_images=True)]).predict."
            )
        if heat_maps is not None:
            self.check_heat_maps(heat_maps)
        target.parent.mkdir(parents=True, exist_ok=True)
        rows = range(len(self) if count is None else min(count, len(self)))
        grids = [rows[start : start + IN_A_GRID] for start in range(0, len(rows), IN_A_GRID)]

        written = []
        for number, chosen in enumerate(grids, 1):
            name = target if number == 1 else target.with_name(f"{target.stem}_{number}.png")
            heading = f"{chosen[0] + 1} to {chosen[-1] + 1} of {len(self)}"
            with warnings.catch_warnings():
                # Letters that the font lacks become boxes.
                warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)
                titles = [self._title(i) for i in chosen]
                images = self._pixels(list(chosen))
                maps = None if heat_maps is None else self._maps(images, chosen, heat_maps)
                figure = titled_images(images, titles, heat_maps=maps, heading=heading)
                save_figure(figure, name, dpi=100)
            stored(name)
            written.append(name)
        return written

    def check_heat_maps(self, method: str) -> None:
        """Refuse heat maps that cannot be drawn over these images.

        Args:
            method: One of `HEAT_MAPS`.

        Raises:
            ConfigurationError: The name is unknown, rows have not one class each, or the network
                has no such maps.
        """
        checked_choice("heat_maps", method, HEAT_MAPS)
        if self._heat_maps is None or self._pixels is None or "class" not in self.frame:
            raise ConfigurationError(
                f"heat_maps={method!r} shows where in an image its class was seen, and these rows "
                "are not of images with one class each; leave it out."
            )
        if method == "grad_cam":
            self._maps(self._pixels([0]), [0], method)  # raises where there are none

    def _maps(self, images: Any, rows: Any, method: str) -> NDArray[np.floating] | None:
        if self._heat_maps is None:
            return None
        return self._heat_maps(images, self.frame["class"].to_numpy()[list(rows)], method)

    def _title(self, row: int) -> str:
        """Return what stands above an image: label and probability, then the file's name."""
        values = self.frame.iloc[row]
        if "label" in self.frame:
            said = str(values["label"]) or "no label"
            if "probability" in self.frame:
                said += f" {values['probability']:.0%}"
        else:
            numbers = [n for n in self.frame if n not in ("file", "row")][:LINES]
            said = "\n".join(f"{n} {values[n]:.4g}" for n in numbers)
        lines = [line for text in said.split("\n") for line in textwrap.wrap(text, LINE)][:LINES]
        name = Path(str(values["file"])).name if "file" in self.frame else f"row {values['row']}"
        return "\n".join([*lines, textwrap.shorten(name, LINE, placeholder="...") or name[:LINE]])


def check_format(kind: str, name: str) -> None:
    """Refuse a format that no table is written in, or whose package is missing.

    Args:
        kind: Such as ``csv``.
        name: What the user wrote, for the message.

    Raises:
        ConfigurationError: It is none of `FORMATS`, or pyarrow is not installed.
    """
    if kind not in FORMATS:
        endings = ", ".join(f".{ending}" for ending in FORMATS)
        raise ConfigurationError(f"{name!r}: a table is written as one of {endings}.")
    if kind == "parquet" and importlib.util.find_spec("pyarrow") is None:
        raise ConfigurationError(
            f"{name!r} needs the package pyarrow: pip install 'lightning-tf[parquet]', or write "
            "csv or jsonl."
        )


def _column(values: Any) -> Any:
    """Return a column as pandas holds it: ints stay ints, text stays text."""
    return list(values) if isinstance(values, (range, Sequence)) else np.asarray(values)


def _plain_values(column: Any) -> list[Any]:
    """Return the values of a column as Python has them; float32 with the digits that it has."""
    kind = getattr(column.dtype, "kind", "O")
    array = column.to_numpy()
    if kind == "f":
        values = [float(str(value)) for value in array]
        return [value if math.isfinite(value) else None for value in values]
    values = array.tolist()
    return [None if value is None or value != value else _text_or_number(value) for value in values]


def _text_or_number(value: Any) -> Any:
    return value if isinstance(value, (bool, int, float, str, list)) else str(value)


def _plain_array(column: Any) -> NDArray[Any]:
    array: NDArray[Any] = column.to_numpy()
    return np.array([str(cell) for cell in array]) if array.dtype.kind not in "biuf" else array
