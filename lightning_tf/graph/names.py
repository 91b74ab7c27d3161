"""The register of a stage's names: what two would share, or another stage has, is refused."""

from collections.abc import Iterable

from lightning_tf.exceptions import ConfigurationError
from lightning_tf.stage import STAGES, TRAIN, Stage, spellings

Givers = tuple[tuple[str, str], ...]  # names, each with what gives it, such as ``log('z')``


def check_names(stage: Stage, givers: Iterable[tuple[str, str]]) -> None:
    """Refuse names of one stage that users or loggers would see under one spelling.

    Args:
        stage: Whose step was traced.
        givers: Every name of its losses, logged values and metrics, with what gives it.

    Raises:
        ConfigurationError: Two names meet, or one is spelled as another stage's.
    """
    met: dict[str, str] = {}
    for name, giver in givers:
        _check_prefix(stage, name, giver)
        for spelled in spellings(stage, name):
            if spelled in met:
                raise ConfigurationError(
                    f"{stage.step}: {giver} and {met[spelled]} are both called {spelled!r}, and "
                    "one would hide the other; give one of them another name (a loss is logged by "
                    "itself)."
                )
        met |= dict.fromkeys(spellings(stage, name), giver)


def _check_prefix(stage: Stage, name: str, giver: str) -> None:
    """Refuse a name that reads as one of another stage, or as loggers get it."""
    for other in STAGES:
        is_theirs = stage is TRAIN and other is not TRAIN and name.startswith(f"{other.prefix}_")
        if is_theirs or name.startswith(f"{other.prefix}/"):
            bare = name[len(other.prefix) + 1 :] or "score"
            raise ConfigurationError(
                f"{stage.step}: {giver} is called {name!r}, but {name[: len(other.prefix) + 1]!r} "
                f"begins the names of {other.step}, and is put there by the Trainer; give another "
                f"name, such as {bare!r}."
            )
