"""open_study: Optuna's study of a search, refused where its storage holds another search."""

import difflib
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from lightning_tf.callbacks.optuna_pruning import optuna_package
from lightning_tf.exceptions import ConfigurationError

log = logging.getLogger("lightning_tf")

STUDY = "lightning_tf"
LEAST_EPOCHS = 3  # of Hyperband, whose first look comes after one epoch and the next after three


class SearchError(ConfigurationError):
    """Ends the search, not the trial alone."""


@contextmanager
def quiet_optuna() -> Iterator[None]:
    """Leave the telling of trials to this package."""
    optuna = optuna_package("a search")
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(level)


def open_study(
    *,
    method: str,
    mode: str,
    seed: int,
    grid: Mapping[str, Sequence[Any]] | None,
    storage: str | None,
    lines: Sequence[str],
) -> Any:
    """Return a new study, or that of the storage.

    Args:
        method: How values are drawn.
        mode: ``min`` or ``max``.
        seed: Of the draws.
        grid: The values of each name, for that method.
        storage: Of Optuna; None keeps the study in memory.
        lines: What two calls must have in common to share a study.

    Raises:
        ConfigurationError: The storage cannot be used, or holds another search.
    """
    optuna = optuna_package("a search")
    samplers = {
        # The order numbers the combinations, so it is the same for all that share a storage.
        "grid": lambda: optuna.samplers.GridSampler(grid, seed=0),
        "random": lambda: optuna.samplers.RandomSampler(seed=seed),
        "tpe": lambda: optuna.samplers.TPESampler(seed=seed),
        "hyperband": lambda: optuna.samplers.RandomSampler(seed=seed),
    }
    with quiet_optuna():
        try:
            study = optuna.create_study(
                study_name=STUDY,
                direction="maximize" if mode == "max" else "minimize",
                sampler=samplers[method](),
                pruner=optuna.pruners.NopPruner(),
                storage=storage,
                load_if_exists=True,
            )
        except Exception as error:  # of whatever database it is
            raise ConfigurationError(
                f"storage={storage!r} cannot be used: {type(error).__name__}: {error} Give a URL "
                "of SQLAlchemy, such as sqlite:///study.db."
            ) from error

    stored = study.user_attrs.get("search", lines)
    if list(stored) != list(lines):
        raise ConfigurationError(
            f"storage={storage!r} holds another search: {_difference(stored, lines)}; give "
            "another storage, or the same."
        )
    study.set_user_attr("search", list(lines))
    return study


def set_hyperband(study: Any, max_epochs: int | None) -> None:
    """Let a study prune by Hyperband, which must know the epochs of a whole trial.

    Raises:
        SearchError: They are too few.
    """
    pruners = optuna_package("a search").pruners
    if isinstance(study.pruner, pruners.HyperbandPruner):
        return
    if max_epochs is None or max_epochs < LEAST_EPOCHS:
        raise SearchError(
            f"method='hyperband' ends trials after 1, 3, 9, ... of max_epochs, which is "
            f"{max_epochs}; give at least {LEAST_EPOCHS}, or another method."
        )
    study.pruner = pruners.HyperbandPruner(max_resource=max_epochs)


def _difference(stored: Sequence[str], lines: Sequence[str]) -> str:
    changed = [each for each in difflib.ndiff(stored, lines) if each[0] in "-+"]
    there, here = (
        "; ".join(each[2:].strip() for each in changed if each[0] == sign) or "nothing"
        for sign in "-+"
    )
    return f"there {there}, here {here}"
