"""write_voc: annotations as Pascal VOC's XML."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from xml.sax.saxutils import escape

from lightning_tf.data.boxes.image_annotation import ImageAnnotation
from lightning_tf.data.images.image_header import encode_png
from lightning_tf.exceptions import DataError


def write_voc(
    folder: str | os.PathLike[str],
    annotations: Iterable[ImageAnnotation],
    copy_images: bool = True,
) -> Path:
    """Write a folder that `VocFolder` reads: ``annotations/*.xml`` and ``images/``.

    Coordinates are written in full, from 0, so that they are read back exactly.

    Args:
        folder: Made where it is missing.
        annotations: With the sizes of their images. One without a file, whose pixels are in
            memory, becomes ``image-00000.png``, numbered by its place.
        copy_images: Whether images are copied, too; the annotations alone serve for predictions.

    Returns:
        The folder.

    Raises:
        DataError: Two images have one stem, or a size is not known.

    Example:
        >>> item = ImageAnnotation(None, (30, 40), [[1, 2, 11, 22.5]], ["cat"])
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     root = write_voc(folder, [item], copy_images=False)
        ...     [path.name for path in (root / "annotations").iterdir()]
        ['image-00000.xml']
    """
    root = Path(folder).expanduser()
    (root / "annotations").mkdir(parents=True, exist_ok=True)
    written: dict[str, str] = {}
    for place, item in enumerate(annotations):
        name = f"image-{place:05d}.png" if item.path is None else item.path.name
        stem = Path(name).stem
        if stem in written:
            raise DataError(
                f"{written[stem]} and {item.path or name} have one stem, by which VOC's files are "
                "named; rename one, or write them to two folders."
            )
        if 0 in item.size:
            raise DataError(f"The size of {name} is {item.size}; give height and width.")
        written[stem] = str(item.path or name)
        (root / "annotations" / f"{stem}.xml").write_text(_xml(name, item), encoding="utf-8")
        if copy_images:
            _copy_image(item, root / "images" / name)
    return root


def _copy_image(item: ImageAnnotation, target: Path) -> None:
    target.parent.mkdir(exist_ok=True)
    if item.path is None:
        if item.pixels is None:
            raise DataError(f"{item.name} has neither a file nor pixels; pass copy_images=False.")
        target.write_bytes(encode_png(item.pixels))
    elif item.path.resolve() != target.resolve():
        shutil.copyfile(item.path, target)


def _xml(name: str, item: ImageAnnotation) -> str:
    height, width = item.size
    lines = [
        "<annotation>",
        "  <folder>images</folder>",
        f"  <filename>{escape(name)}</filename>",
        "  <source><database>Unknown</database></source>",
        f"  <size><width>{width}</width><height>{height}</height><depth>3</depth></size>",
        "  <segmented>0</segmented>",
    ]
    rows = zip(item.boxes.tolist(), item.labels, item.difficult, item.crowd, strict=True)
    for box, label, difficult, crowd in rows:
        sides = zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True)
        lines += [
            "  <object>",
            f"    <name>{escape(label)}</name>",
            f"    <difficult>{int(difficult)}</difficult>",
            *(["    <crowd>1</crowd>"] if crowd else []),
            # Shortest text that reads back as the same float.
            f"    <bndbox>{''.join(f'<{side}>{_text(x)}</{side}>' for side, x in sides)}</bndbox>",
            "  </object>",
        ]
    return "\n".join([*lines, "</annotation>\n"])


def _text(value: float) -> str:
    return str(int(value)) if value.is_integer() else repr(value)
