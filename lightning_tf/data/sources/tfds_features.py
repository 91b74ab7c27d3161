"""chosen_features: which features of a TensorFlow Datasets set are inputs and labels."""

from typing import Any

import numpy as np

from lightning_tf.exceptions import ConfigurationError, DataError, nearest


def chosen_features(
    label: str,
    info: Any,
    kind: type,
    name: str,
    input_key: str | None = None,
    label_key: str | None = None,
) -> tuple[str, str]:
    """Return the names of the features that hold the inputs and the labels.

    Where no key is given: the one that the set itself calls its input or target
    (`supervised_keys`), else the one called `name` or ``label``, else the only one there is.

    Args:
        label: What messages call the set.
        info: Of the set.
        kind: The type of the inputs' feature.
        name: image or text.
        input_key: The inputs' feature.
        label_key: The labels' feature: a ClassLabel, or integers.

    Raises:
        ConfigurationError: There are several, and nothing says which.
        DataError: There is no such feature, or none at all.
    """
    import tensorflow_datasets as tfds

    features = info.features
    inputs = [key for key, feature in features.items() if isinstance(feature, kind)]
    labels = [k for k, feature in features.items() if isinstance(feature, tfds.features.ClassLabel)]
    integers = [key for key, feature in features.items() if _is_integer(feature)]
    several = [key for key, feature in features.items() if _is_several_labels(feature)]
    if inputs and several and (label_key in several or not (labels or integers)):
        remedy = "tasks on texts learn one class, choose one with label_key="
        if name == "image":
            remedy = (
                "make them 0 and 1 of shape (labels,) with a map over tfds.load(...), and give the "
                "batches of that dataset with objective='multi_label'"
            )
        raise DataError(f"{several[0]} of {label} is several labels for each {name}: {remedy}.")
    if not inputs or not (labels or integers):
        raise DataError(
            f"{label} holds no {name}s with one label each; its features are {', '.join(features)}."
        )

    supervised = [k for k in (info.supervised_keys or ()) if isinstance(k, str)]
    return (
        _choose(label, f"{name}_key", f"{name}s", input_key, inputs, [*supervised, name]),
        # Integers are labels where they are called so, and a choice where they are not.
        _choose(
            label,
            "label_key",
            "labels",
            label_key,
            labels if label_key is None and labels else [*labels, *integers],
            [*supervised[::-1], "label"],
        ),
    )


def is_class_label(feature: Any) -> bool:
    """Return whether a feature knows its classes."""
    import tensorflow_datasets as tfds

    return isinstance(feature, tfds.features.ClassLabel)


def _choose(
    label: str, option: str, things: str, key: str | None, known: list[str], wanted: list[str]
) -> str:
    if key is not None:
        if key not in known:
            raise DataError(
                f"{label} has no {option.removesuffix('_key')} {key!r}; its {things} are "
                f"{', '.join(known)}.{nearest(key, known)}"
            )
        return key

    chosen = next((name for name in wanted if name in known), None)
    if chosen is None and len(known) == 1:
        chosen = known[0]
    if chosen is None:
        raise ConfigurationError(
            f"{label} has several {things}: {', '.join(known)}; choose one with {option}=, such as "
            f"{option}={known[0]!r}."
        )
    return chosen


def _is_several_labels(feature: Any) -> bool:
    """Return whether a feature is a sequence of class labels."""
    return is_class_label(getattr(feature, "feature", None))


def _is_integer(feature: Any) -> bool:
    import tensorflow_datasets as tfds

    plain = isinstance(feature, (tfds.features.Scalar, tfds.features.Tensor))
    return bool(plain and feature.shape == () and np.dtype(feature.np_dtype).kind in "iu")
