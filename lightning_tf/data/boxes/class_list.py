"""Which classes objects have: their order, other names for them, and what is odd about them."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from lightning_tf.data.boxes.image_annotation import ImageAnnotation
from lightning_tf.data.labels import sort_class_names
from lightning_tf.exceptions import ConfigurationError, DataError, nearest

ClassMap = Mapping[str, str | None]

_log = logging.getLogger(__name__)


def map_classes(
    annotations: Sequence[ImageAnnotation], class_map: ClassMap
) -> list[ImageAnnotation]:
    """Rename classes; objects whose class is mapped to None are left out, and that is told.

    Args:
        annotations: Of all splits.
        class_map: New names by old ones; a class that is not in it keeps its name.

    Raises:
        ConfigurationError: It names a class that no object has.
    """
    known = {label for annotation in annotations for label in annotation.labels}
    for name in class_map:
        if name not in known:
            raise ConfigurationError(
                f"class_map names {name!r}, which no object is.{nearest(name, known)}"
            )

    mapped, left_out = [], Counter[str]()
    for annotation in annotations:
        keep = np.asarray([class_map.get(x, x) is not None for x in annotation.labels], np.bool_)
        left_out.update(x for x, kept in zip(annotation.labels, keep, strict=True) if not kept)
        annotation = annotation.keep(keep)
        labels = tuple(str(class_map.get(label, label)) for label in annotation.labels)
        mapped.append(annotation.replace(labels=labels))
    if left_out:
        _log.warning("class_map leaves out objects: %s.", _counts(left_out))
    return mapped


def resolve_class_names(
    annotations: Sequence[ImageAnnotation], class_names: Sequence[str] | None, listed: Sequence[str]
) -> list[str]:
    """Return the names of all classes, in the order of their labels.

    Args:
        annotations: Of all splits.
        class_names: What the user chose; None takes those of the data.
        listed: What the data list in an order of their own, such as COCO's categories.

    Raises:
        DataError: An object's class is not in `class_names`; or there is no class at all.
        ConfigurationError: A name stands twice in `class_names`.
    """
    counts = Counter(label for annotation in annotations for label in annotation.labels)
    if class_names is not None:
        names = [str(name) for name in class_names]
    else:
        unlisted = sort_class_names(set(counts) - set(listed))
        names = [*dict.fromkeys(listed), *unlisted]

    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ConfigurationError(f"class_names has {twice[0]!r} twice; name each class once.")
    _refuse_unknown(annotations, names)
    if not names:
        raise DataError("No image has an object; give some, or the class_names.")
    _tell_oddities(names, counts)
    return names


def tell_joined_classes(listed: Sequence[str]) -> None:
    """Warn about names that data list for several numbers, which become one class."""
    joined = [name for name, count in Counter(listed).items() if count > 1]
    if joined:
        _log.warning("Classes that are listed more than once are one: %s.", ", ".join(joined))


def _refuse_unknown(annotations: Sequence[ImageAnnotation], names: Sequence[str]) -> None:
    known = set(names)
    for annotation in annotations:
        for place, label in enumerate(annotation.labels):
            if label not in known:
                raise DataError(
                    f"{annotation.name}, object {place + 1} is a {label!r}, which class_names does "
                    f"not have; add it, or leave it out with class_map={{{label!r}: None}}."
                    f"{nearest(label, names)}"
                )


def _tell_oddities(names: Sequence[str], counts: Counter[str]) -> None:
    never = [name for name in names if not counts[name]]
    if never:
        _log.warning("No object is of these classes: %s.", ", ".join(never))

    # Letters and spaces apart: "Cat" beside "cat" is one class to whoever drew the boxes.
    spellings: dict[str, list[str]] = {}
    for name in names:
        spellings.setdefault(" ".join(name.casefold().split()), []).append(name)
    for alike in spellings.values():
        if len(alike) > 1:
            _log.warning(
                "Classes %s differ in spelling alone; they stay apart. To join them pass "
                "class_map={%r: %r}.",
                " and ".join(f"{name!r} ({counts[name]} objects)" for name in alike),
                alike[0],
                alike[1],
            )


def tell_classes_that_training_lacks(splits: Mapping[str, set[str]]) -> None:
    """Warn about classes of a held-out split that are learned from no example.

    Args:
        splits: The classes of each split's objects.
    """
    for split, labels in splits.items():
        unlearned = sorted(labels - splits.get("train", labels))
        if unlearned:
            _log.warning("%s has classes that train lacks: %s.", split, ", ".join(unlearned))


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counter.items()))
