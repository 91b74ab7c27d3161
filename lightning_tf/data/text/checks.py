"""Checks of texts and of their labels, which may be names."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.data.labels import checked_class_names, flat_labels, is_missing, sort_class_names
from lightning_tf.exceptions import DataError

SHOWN = 5  # labels that a message lists


def checked_texts(name: str, texts: Any) -> NDArray[np.object_]:
    """Return texts of shape (texts,) as Python strings.

    Args:
        name: The split that they belong to, for messages.
        texts: Strings, or bytes in UTF-8.

    Raises:
        DataError: There is none, one is missing or no string, or bytes are no UTF-8.

    Example:
        >>> checked_texts("train", ["good", b"bad"]).tolist()
        ['good', 'bad']
    """
    if isinstance(texts, (str, bytes)):
        raise DataError(f"The {name} texts are one {type(texts).__name__}; give a list of texts.")
    texts = list(texts)
    if not texts:
        raise DataError(f"There are no {name} texts; give at least one.")
    array = np.empty(len(texts), object)
    for index, text in enumerate(texts):
        array[index] = _checked_text(name, index, text)
    return array


def find_empty_texts(texts: NDArray[np.object_]) -> NDArray[np.int64]:
    """Return the indices of texts that hold nothing but white space."""
    return np.array([i for i, text in enumerate(texts) if not text.strip()], np.int64)


def checked_label_names(
    name: str, labels: Any, count: int, class_names: Sequence[str] | None = None
) -> NDArray[np.object_]:
    """Return the class of each text by its name.

    Args:
        name: The split that they belong to, for messages.
        labels: Strings, or integers (also as strings): with `class_names` their places there, else
            names as they are. Floats that are whole numbers count as integers: a table's column is
            float as soon as one cell is empty.
        count: How many texts there are.
        class_names: Names of the classes.

    Raises:
        DataError: Another number of labels than texts, or a label that is missing, no string and
            no integer, or no place in `class_names`.

    Example:
        >>> checked_label_names("train", [1, 0], 2, ["bad", "good"]).tolist()
        ['good', 'bad']
    """
    array, hint = flat_labels(labels)
    if array.ndim != 1 or len(array) != count:
        raise DataError(
            f"The {name} labels have shape {array.shape} for {count} texts; there must be one "
            f"label for each text.{hint}"
        )
    names = np.empty(count, object)
    for index, label in enumerate(array.tolist()):
        names[index] = _label_name(name, index, label, class_names)
    return names


def find_class_names(
    labels: NDArray[np.object_], class_names: Sequence[str] | None = None, fewest: int = 2
) -> list[str]:
    """Return the classes of the training split.

    Args:
        labels: The class of each training text by its name.
        class_names: The classes in their order; None sorts those of `labels`, numbers by size.
        fewest: Texts that each class must have.

    Raises:
        DataError: There are fewer than two, names are given twice, or a class has too few texts: of
            one nothing could be held out, and nothing be learned that is not that one text.
    """
    counts = Counter(map(str, labels))
    names = sort_class_names(counts) if class_names is None else [str(n) for n in class_names]
    if len(set(names)) != len(names):
        raise DataError(f"The class names are {names}; give each once.")
    checked_class_names(names, len(names))

    # Nothing could be held out of a single text, nor learned that is not that one text.
    for name in names:
        if counts[name] < fewest:
            raise DataError(
                f"Class {name!r} has {counts[name]} training texts; a class needs two or more. "
                "Give more texts of it, or leave the class out."
            )
    return names


def encode_labels(
    name: str, labels: NDArray[np.object_], class_names: Sequence[str]
) -> NDArray[np.int32]:
    """Return the place of each label among the class names.

    Args:
        name: The split that they belong to, for messages.
        labels: The class of each text by its name.
        class_names: The classes of the training split.

    Raises:
        DataError: A label is not among them.
    """
    # All of them at once: a label that is spelled otherwise rarely stands alone.
    places = {class_name: code for code, class_name in enumerate(class_names)}
    unknown = [(index, label) for index, label in enumerate(labels) if label not in places]
    if unknown:
        listed = ", ".join(sorted({repr(label) for _, label in unknown})[:SHOWN])
        raise DataError(
            f"{len(unknown)} of the {name} texts have labels that the training split does not: "
            f"{listed}, the first at index {unknown[0][0]}. Training has "
            f"{', '.join(map(repr, class_names[:20]))}. Correct them, or add such texts to it."
        )
    return np.array([places[label] for label in labels], np.int32)


def _checked_text(name: str, index: int, text: Any) -> str:
    if isinstance(text, (bytes, np.bytes_)):
        try:
            return text.decode("utf-8")
        except UnicodeDecodeError as error:
            raise DataError(
                f"The {name} text at index {index} is no UTF-8: {error}. Decode it with the "
                "encoding that it was written in."
            ) from error

    if not isinstance(text, str):
        raise DataError(
            f"The {name} text at index {index} is {text!r}, a {type(text).__name__}; every text "
            "must be a string. Drop or fill missing ones."
        )

    # A lone surrogate is no character, and no file or graph can hold it.
    return str(text) if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _label_name(name: str, index: int, label: Any, class_names: Sequence[str] | None) -> str:
    if isinstance(label, bytes):
        label = label.decode("utf-8", "replace")
    if isinstance(label, float) and label.is_integer():
        label = int(label)

    missing = is_missing(label) or (isinstance(label, str) and not label.strip())
    if missing or not isinstance(label, (str, int)):
        raise DataError(
            f"The {name} label at index {index} is {label!r}; every text needs a label that is a "
            "string or an integer."
        )

    if class_names is None or str(label) in class_names:
        return str(label)
    if isinstance(label, str):
        if not label.isdecimal():  # a table's numbers are strings
            return label
        label = int(label)
    if not 0 <= label < len(class_names):
        raise DataError(
            f"The {name} label at index {index} is {label}; with {len(class_names)} class names it "
            f"must be 0 to {len(class_names) - 1}."
        )
    return str(class_names[label])
