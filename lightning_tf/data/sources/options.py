"""Which options a source of data takes, and the errors for others."""

import inspect
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from lightning_tf.data.indexed_data import IndexedData
from lightning_tf.exceptions import ConfigurationError, nearest

T = TypeVar("T")


def source_options(source: type) -> set[str]:
    """Return the keyword arguments of a source and, where it passes options on, of its bases."""
    known: set[str] = set()
    for base in inspect.getmro(source):
        if "__init__" not in vars(base):
            continue
        parameters = inspect.signature(base.__init__).parameters.values()  # type: ignore[misc]
        known |= {item.name for item in parameters if item.default is not item.empty}
        if not any(item.kind is item.VAR_KEYWORD for item in parameters):
            break
    return known


def refuse_unknown(source: type, data: Any, options: dict[str, Any], known: Iterable[str]) -> None:
    """Refuse options that a source does not know.

    Args:
        source: What `data` was resolved to.
        data: What the user wrote.
        options: By name.
        known: Those that the source takes.

    Raises:
        ConfigurationError: Names the option, its value and the nearest known one.
    """
    known, name = set(known), shown_data(source, data)
    # Those of the order are a source's, too, where it is read by index.
    order = {"shuffle", "drop_remainder"} if issubclass(source, IndexedData) else set()
    for option, value in options.items():
        if option not in known:
            raise ConfigurationError(
                f"{option}={value!r} has no meaning for data={name}."
                f"{nearest(option, known | order)}"
            )


def shown_data(source: type, data: Any) -> str:
    """Return what messages call data: what the user wrote, or what it was resolved to."""
    return repr(data) if isinstance(data, str) else source.__name__


def merged_options(data_options: Mapping[str, Any] | None, **own: Any) -> dict[str, Any]:
    """Return the options of a task's data: those with an argument of their own, and the others.

    Args:
        data_options: What the user gave as ``data_options``.
        **own: The task's own arguments; None is left out.

    Raises:
        ConfigurationError: An option is given twice, or `data_options` is no mapping.

    Example:
        >>> merged_options({"val_fraction": 0.2}, batch_size=8, image_size=None)
        {'batch_size': 8, 'val_fraction': 0.2}
    """
    further = {} if data_options is None else data_options
    if not isinstance(further, Mapping):
        raise ConfigurationError(
            f"data_options is a {type(further).__name__}; give a dict such as "
            "{'val_fraction': 0.2}."
        )
    chosen = {name: value for name, value in own.items() if value is not None}
    twice = [name for name in chosen if further.get(name) is not None]
    if twice:
        raise ConfigurationError(
            f"{twice[0]} is given twice: {chosen[twice[0]]!r}, and {further[twice[0]]!r} in "
            "data_options; keep one."
        )
    return {**chosen, **{k: v for k, v in further.items() if v is not None or k not in chosen}}


def use_as_is(data: T, options: Iterable[str]) -> T:
    """Return a source that the user made already; its options are set on it.

    Args:
        data: What the user wrote.
        options: Names of the options beside it.

    Raises:
        ConfigurationError: There are options.
    """
    if options:
        raise ConfigurationError(
            f"data is a {type(data).__name__}, which is used as it is; set {', '.join(options)} "
            "on it."
        )
    return data
