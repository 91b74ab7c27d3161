"""chosen_splits: which splits of a TensorFlow Datasets set are trained, validated and tested on."""

import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any

from lightning_tf.checks import check_known
from lightning_tf.data.sources.split_folders import SPLIT_NAMES, splits_by_name
from lightning_tf.exceptions import ConfigurationError, DataError

_log = logging.getLogger(__name__)


def chosen_splits(label: str, info: Any, splits: str | Mapping[str, str] | None) -> dict[str, str]:
    """Return the set's splits by ``train``, ``val`` and ``test``; the log says which these are.

    Without a choice they go by their names, see `SPLIT_NAMES`; a set of one split trains on it.
    With a choice of training alone, such as ``train[:10%]``, the set's own others are kept unless
    they are a part of it.

    Args:
        label: What messages call the set.
        info: Of the set, which is prepared.
        splits: What to train on, or what to do with which split, as `tfds.load` names them, such as
            ``{"train": "train[:80%]+extra", "val": "train[80%:]"}``.

    Raises:
        ConfigurationError: The set has no such split, or two of them share examples.
        DataError: No split is of training.
    """
    names = list(info.splits)
    by_name = _by_name(names)
    if isinstance(splits, str):
        used = set(re.findall(r"[A-Za-z_]\w*", re.sub(r"\[[^\]]*\]", "", splits)))
        others = {k: name for k, name in by_name.items() if k != "train" and name not in used}
        chosen = {"train": splits, **others}
    elif splits is not None:
        for split in splits:
            check_known(f"{label}: splits has no split {split!r}", split, SPLIT_NAMES)
        chosen = dict(splits)
    else:
        chosen = by_name
    if "train" not in chosen:
        raise DataError(
            f"{label} has no split 'train'; it has {', '.join(names)}: name one with splits=, such "
            f"as splits={{'train': {names[0]!r}}}."
        )

    if splits is not None:
        _check_examples(label, info, chosen)
    used = {name for name in names for text in chosen.values() if re.search(rf"\b{name}\b", text)}
    unused = [name for name in names if name not in used]
    _log.info(
        "%s: %s.%s",
        label,
        ", ".join(
            f"{split} {info.splits[name].num_examples} examples"
            + (f" ({name})" if name != split else "")
            for split, name in chosen.items()
        ),
        f" Not used: {', '.join(unused)}; choose with splits=." if unused else "",
    )
    return chosen


def _by_name(names: Sequence[str]) -> dict[str, str]:
    if len(names) == 1:
        return {"train": names[0]}
    found: dict[str, str] = {}
    for name, split in splits_by_name(names).items():
        if split is not None:
            found.setdefault(split, name)
    return found


def _check_examples(label: str, info: Any, chosen: Mapping[str, str]) -> None:
    """Refuse names that the set does not have, and examples in two splits."""
    ranges: dict[str, list[tuple[str, int, int]]] = {}
    for split, name in chosen.items():
        try:
            instructions = info.splits[name].file_instructions
        except (ValueError, KeyError, AssertionError) as error:
            raise ConfigurationError(
                f"{label}: {split} split {name!r} cannot be read ({error}); the set has "
                f"{', '.join(info.splits)}, to be named as tfds.load does: 'train[:10%]'."
            ) from error
        ranges[split] = [(str(i.filename), i.skip, i.skip + i.take) for i in instructions]
        if not any(end > start for _, start, end in ranges[split]):
            raise ConfigurationError(f"{label}: {split} split {name!r} has no example.")

    pairs = [(a, b) for a in ranges for b in ranges if a < b]
    for first, second in pairs:
        for file, start, end in ranges[first]:
            if any(f == file and s < end and start < e for f, s, e in ranges[second]):
                raise ConfigurationError(
                    f"{label}: {chosen[first]!r} ({first}) and {chosen[second]!r} ({second}) share "
                    "examples; give splits that do not, such as 'train[:80%]' and 'train[80%:]'."
                )
