"""turn_upright: boxes and sizes of upright images, whatever the annotations were drawn on."""

import logging
from collections.abc import Sequence

from lightning_tf.data.boxes.image_annotation import ImageAnnotation
from lightning_tf.data.images.image_header import ImageHeader

EXIF_BOXES = ("upright", "stored")

_log = logging.getLogger(__name__)


def turn_upright(
    annotations: Sequence[ImageAnnotation],
    headers: Sequence[ImageHeader],
    exif_boxes: str | None = None,
) -> list[ImageAnnotation]:
    """Return the annotations with the sizes of their upright images, and boxes in their pixels.

    A tool that obeys EXIF writes the upright size beside its boxes, one that does not the stored
    one: that says which pixels the boxes count. Where an image's size says nothing (180 degrees,
    a square, no size at all), the other images of the data do; else they are taken as upright.

    Args:
        annotations: With the sizes that they declare, (0, 0) where none.
        headers: Of the files, in the same order.
        exif_boxes: ``upright`` or ``stored``: what all boxes count; None looks as above.
    """
    evidence = [_declared(item, header) for item, header in zip(annotations, headers, strict=True)]
    stored = evidence.count("stored")
    default = exif_boxes or ("stored" if stored > evidence.count("upright") else "upright")

    frames = [exif_boxes or says or default for says in evidence]
    _tell(annotations, headers, frames)
    return [
        item.replace(
            size=header.upright,
            boxes=header.turn_boxes(item.boxes) if frame == "stored" else item.boxes,
        )
        for item, header, frame in zip(annotations, headers, frames, strict=True)
    ]


def _tell(
    annotations: Sequence[ImageAnnotation], headers: Sequence[ImageHeader], frames: Sequence[str]
) -> None:
    rows = list(zip(annotations, headers, frames, strict=True))
    for name in EXIF_BOXES:
        turned = [i.name for i, header, frame in rows if header.orientation != 1 and frame == name]
        if turned:
            _log.warning(
                "%d images are turned by their EXIF orientation, the first is %s; their boxes "
                "are read as of the %s pixels. To settle it pass exif_boxes=.",
                len(turned),
                turned[0],
                name,
            )

    wrong = [
        f"{item.name} ({_text(item.size)} for {_text(header.upright)})"
        for item, header, _ in rows
        if 0 not in item.size and item.size not in (header.upright, header.stored)
    ]
    if wrong:
        _log.warning(
            "%d annotations give another size than their image has (width x height), the first "
            "is %s; the image's counts.",
            len(wrong),
            wrong[0],
        )


def _declared(item: ImageAnnotation, header: ImageHeader) -> str | None:
    if header.stored == header.upright:
        return None
    return {header.stored: "stored", header.upright: "upright"}.get(item.size)


def _text(size: tuple[int, int]) -> str:
    return f"{size[1]} x {size[0]}"
