"""read_coco_file: the annotations of COCO's JSON."""

import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lightning_tf.exceptions import DataError

CORNERS = "bbox_xyxy"
"""A field of `write_coco`: corners that the last bit of x + width or y + height would miss."""


def read_coco_file(path: Path) -> dict[str, Any]:
    """Return a file's content, its three lists checked.

    Raises:
        DataError: It is no JSON, lacks ``images``, ``annotations`` or ``categories``, an entry of
            them lacks a field, an id or an image stands there twice, a category has no name, or
            ``iscrowd`` is neither 0 nor 1.
    """
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path} cannot be read as JSON ({error}); write it again.") from error

    fields = {
        "images": ("id", "file_name"),
        "annotations": ("image_id", "category_id", "bbox"),
        "categories": ("id", "name"),
    }
    for name, wanted in fields.items():
        if not isinstance(content, Mapping) or not isinstance(content.get(name), list):
            raise DataError(f"{path} has no list {name!r}; COCO's format has {', '.join(fields)}.")
        for place, entry in enumerate(content[name]):
            lacking = [x for x in wanted if not isinstance(entry, Mapping) or x not in entry]
            if lacking:
                raise DataError(f"{path.name}: {name}[{place}] lacks {lacking[0]!r}; add it.")

    _check_ids(path, content)
    _check_values(path, content)
    return dict(content)


def _check_ids(path: Path, content: Mapping[str, Any]) -> None:
    for name in ("images", "categories"):
        twice = _first_of_two(str(entry["id"]) for entry in content[name])
        if twice is not None:
            raise DataError(f"{path.name}: {name} has id {twice} twice; number them apart.")

    # Its objects would be background wherever the other entry is seen.
    twice = _first_of_two(str(entry["file_name"]) for entry in content["images"])
    if twice is not None:
        raise DataError(
            f"{path.name}: images has the file {twice!r} twice; give all its objects one image_id."
        )


def _check_values(path: Path, content: Mapping[str, Any]) -> None:
    for place, entry in enumerate(content["categories"]):
        name = entry["name"]
        if not isinstance(name, (str, int)) or not str(name).strip():
            raise DataError(f"{path.name}: categories[{place}] has the name {name!r}; give a text.")
    for place, entry in enumerate(content["annotations"]):
        crowd = entry.get("iscrowd", 0)
        if crowd not in (0, 1):
            raise DataError(
                f"{path.name}: annotations[{place}] has iscrowd {crowd!r}; give 0 or 1."
            )


def _first_of_two(values: Iterable[str]) -> str | None:
    return next((value for value, count in Counter(values).items() if count > 1), None)


def find_coco_files(root: Path) -> dict[str, Path]:
    """Return the JSON file of each split of a folder.

    They are in the folder, its ``annotations/``, or in ``train/``, ``valid/`` and ``test/``; a
    split's name stands in the name of the file or its folder. One file alone is training.

    Raises:
        DataError: Two files are of one split, as captions and instances would be.

    Example:
        >>> find_coco_files(Path("/nowhere"))
        {}
    """
    files = sorted({*root.glob("*.json"), *root.glob("[aA]nnotations/*.json")})
    files += sorted(root.glob("*/_annotations.coco.json"))
    instances = [path for path in files if path.name.startswith("instances")]
    files = instances or files
    if len(files) == 1:
        return {_split_of(files[0]) or "train": files[0]}

    found: dict[str, Path] = {}
    for path in files:
        split = _split_of(path)
        if split is None:
            continue
        if split in found:
            raise DataError(
                f"{found[split].name} and {path.name} are both of the {split} split; pass "
                "data={'train': file, 'val': file}."
            )
        found[split] = path
    return found


def image_path(
    file: Path, file_name: str, images_dir: Path | None, folders: tuple[Path, ...]
) -> Path | None:
    """Return the image of this name, or None where there is none.

    Args:
        file: The annotation file, for messages.
        file_name: As it is written there.
        images_dir: The only folder to look in, where it is given.
        folders: Where to look else.

    Raises:
        DataError: The name leads out of the folder.
    """
    if os.path.isabs(file_name) or ".." in Path(file_name).parts:
        raise DataError(
            f"{file.name} names the image {file_name!r}, which leads out of its folder; write a "
            "path inside it."
        )
    for folder in folders if images_dir is None else (images_dir,):
        path = folder / file_name
        if path.is_file():
            return path
    return None


def _split_of(path: Path) -> str | None:
    text = path.stem.lower() if "_annotations" not in path.stem else path.parent.name.lower()
    names = [split for split in ("train", "val", "test") if split in text]
    return names[0] if len(names) == 1 else None
