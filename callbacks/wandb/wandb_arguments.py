"""What a WandbLogger hands to wandb, checked when it is made and completed by wandb's rules."""

from __future__ import annotations

import difflib
import inspect
import os
from collections.abc import Mapping
from typing import Any

from lightning_tf.checks import check_known, checked_choice
from lightning_tf.exceptions import ConfigurationError

MODES = ("online", "offline", "shared", "disabled")
SPELLINGS = {"dryrun": "offline", "run": "online"}  # of wandb, for older ones
ALIASES = ("offline", "save_dir", "version", "experiment", "log_model", "prefix")  # to be near to
DECIDED = {  # by the logger, each with what to give instead
    "resume": "id= to go on with a run",
    "reinit": "id= to go on with a run",
    "resume_from": "ckpt_path= to Trainer.fit",
    "force": "mode='online', and `wandb login` before",
}


def check_init(arguments: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    """Refuse what `wandb.init` or `wandb.Settings` would refuse later, in a thread.

    Args:
        arguments: For `wandb.init`, beside those that the logger names itself.
        settings: For `wandb.Settings`, by name.

    Raises:
        ConfigurationError: A name is unknown or the logger's own business, or a value is wrong.
    """
    for name in DECIDED.keys() & arguments.keys():
        raise ConfigurationError(
            f"WandbLogger({name}={arguments[name]!r}): the logger decides on that; give "
            f"{DECIDED[name]}."
        )

    try:
        import wandb
    except Exception:  # broken: the logger is left out of the run, which says so
        return
    for name in arguments:
        known = {*inspect.signature(wandb.init).parameters, *ALIASES}
        check_known(f"WandbLogger has no argument {name!r}", name, known)
    for name in settings.keys() - wandb.Settings.model_fields.keys():
        close = difflib.get_close_matches(name, wandb.Settings.model_fields, n=1)
        hint = f"did you mean {close[0]!r}?" if close else "see wandb.Settings."
        raise ConfigurationError(f"WandbLogger(settings=): W&B has no setting {name!r}; {hint}")
    try:
        wandb.Settings(**settings)
    except ValueError as error:  # pydantic's, a line for each wrong value
        wrong = " ".join(line.strip() for line in str(error).splitlines()[1:3])
        raise ConfigurationError(f"WandbLogger(settings=): {wrong}") from error


def chosen_mode(mode: str | None, settings: Mapping[str, Any]) -> str | None:
    """Return the mode that somebody has chosen; None where nobody has.

    The first that is there: `mode=`, `settings=`, WANDB_MODE, and wandb's own settings, which
    `wandb offline` and `wandb disabled` write.

    Raises:
        ConfigurationError: It is no mode; names where it comes from.
    """
    import wandb

    chosen, where = mode or settings.get("mode"), "WandbLogger: mode"
    if chosen is None:
        chosen, where = os.environ.get("WANDB_MODE"), "WANDB_MODE"
    if chosen is None:
        known = wandb.setup().settings
        chosen = known.mode if "mode" in known.model_fields_set else None
    return None if chosen is None else checked_choice(where, SPELLINGS.get(chosen, chosen), MODES)


def chosen_folder(settings: Mapping[str, Any]) -> str | None:
    """Return the folder that the user has chosen for W&B's own files; None for none."""
    folder = settings.get("root_dir") or os.environ.get("WANDB_DIR")
    return None if folder is None else str(folder)


def one_of(name: str, value: Any, alias: str, other: Any) -> Any:
    """Return an argument that has two names, of which only one is given.

    Raises:
        ConfigurationError: Both are, and differ.
    """
    if other is None or other == value:
        return value
    if value is not None:
        raise ConfigurationError(
            f"WandbLogger({name}={value!r}, {alias}={other!r}): both name one thing; give one."
        )
    return other
