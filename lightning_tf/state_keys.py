"""The names under which a checkpoint holds the states of callbacks and the runs of loggers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from lightning_tf.callback import Callback
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.logger import Logger

Kind = TypeVar("Kind", bound=Callback)

STATE = ("state_dict", "variables", "saved_weights")


def keyed(callbacks: Iterable[Kind]) -> list[tuple[str, Kind]]:
    """Return callbacks, each with a key that no other one's state has.

    It is `state_key`, and where several share one, with an argument that tells them apart:
    ``EarlyStopping(monitor='val_loss', mode='min')[patience=3]``.

    Args:
        callbacks: All of a Trainer; those without state may share a key. Equal loggers are told
            apart by their order.

    Raises:
        ConfigurationError: Two have one key and equal arguments.

    Example:
        >>> [key for key, _ in keyed([Timer("01:00:00:00")])]
        ['Timer']
    """
    all_callbacks = list(callbacks)
    groups: dict[str, list[Kind]] = {}
    for callback in all_callbacks:
        if has_state(callback):
            groups.setdefault(callback.state_key, []).append(callback)

    keys = {
        id(callback): key
        for base, group in groups.items()
        for key, callback in zip(_told_apart(base, group), group, strict=True)
    }
    return [(keys.get(id(callback), callback.state_key), callback) for callback in all_callbacks]


def has_state(callback: Callback) -> bool:
    """Return whether a callback's class has something that a checkpoint may hold."""
    has_run = isinstance(callback, Logger) and type(callback).run_id is not Logger.run_id
    return has_run or any(
        getattr(type(callback), name) is not getattr(Callback, name) for name in STATE
    )


def _told_apart(base: str, group: Sequence[Callback]) -> list[str]:
    """Return a key for each of several callbacks of one `state_key`."""
    if len(group) == 1:
        return [base]

    arguments = [callback.constructor_arguments for callback in group]
    differing = [name for name in arguments[0] if len({repr(a.get(name)) for a in arguments}) > 1]
    # The last argument that is enough by itself: the first ones are often folders, which move.
    choices = [[name] for name in reversed(differing)] + [differing]
    for names in choices:
        keys = [f"{base}[{_written(names, recorded)}]" for recorded in arguments]
        if len(set(keys)) == len(keys):
            return keys

    # Equal loggers write equal records: it is enough that each goes on with one of its own.
    if all(isinstance(callback, Logger) for callback in group):
        return [f"{base}[{index}]" for index in range(len(group))]
    kind = type(group[0]).__name__
    raise ConfigurationError(
        f"callbacks has {len(group)} {kind} objects with the state key {base!r}, of which two have "
        f"equal arguments ({_written(list(arguments[0]), arguments[0])}): a resumed run could not "
        "tell whose state is whose. Drop one, give an argument that differs, or override state_key."
    )


def _written(names: Sequence[str], recorded: dict[str, Any]) -> str:
    return ", ".join(f"{name}={recorded.get(name)!r}" for name in names)
