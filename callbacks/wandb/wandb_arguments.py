"""What a WandbLogger hands to wandb, checked when it is made and completed by wandb's rules."""

from __future__ import annotations

import contextlib
import difflib
import inspect
import os
from collections.abc import Iterator, Mapping
from typing import Any

from lightning_tf.callbacks.wandb.run_id import check_run_id
from lightning_tf.checks import check_known, checked_choice
from lightning_tf.exceptions import ConfigurationError

MODES = ("online", "offline", "shared", "disabled")
SPELLINGS = {"dryrun": "offline", "run": "online"}  # of wandb, for older ones
DECIDED = {  # by the logger, each with what to give instead
    "resume": "id= to go on with a run",
    "reinit": "id= to go on with a run",
    "resume_from": "ckpt_path= to Trainer.fit",
    "fork_from": "ckpt_path= to Trainer.fit, and another id=",
    "force": "mode='online', and `wandb login` before",
}
SETTINGS = {  # what wandb.Settings calls arguments of wandb.init
    "id": "run_id",
    "name": "run_name",
    "group": "run_group",
    "tags": "run_tags",
    "notes": "run_notes",
    "job_type": "run_job_type",
}
SECRETS = ("WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE")  # never in a message
TRUE = ("true", "1", "yes", "on")


def check_init(
    logger: type,
    named: Mapping[str, Any],
    arguments: Mapping[str, Any],
    settings: Mapping[str, Any],
) -> None:
    """Refuse what `wandb.init` or `wandb.Settings` would refuse later, in a thread.

    Args:
        logger: Whose arguments a misspelt one may be near to.
        named: Arguments for `wandb.init` that the logger names itself.
        arguments: Others for `wandb.init`.
        settings: For `wandb.Settings`, by name.

    Raises:
        ConfigurationError: A name is unknown or the logger's own business, or a value is wrong.
    """
    for name, given in (*arguments.items(), *settings.items()):
        if name in DECIDED:
            raise ConfigurationError(
                f"WandbLogger({name}={given!r}): the logger decides on that; give {DECIDED[name]}."
            )

    try:
        import wandb
    except Exception:  # broken: the logger is left out of the run, which says so
        return
    fields = wandb.Settings.model_fields
    of_init = inspect.signature(wandb.init).parameters.keys() - DECIDED.keys()
    for name in arguments:
        known = of_init | inspect.signature(logger).parameters.keys()
        check_known(f"WandbLogger has no argument {name!r}", name, known)
    for name in settings.keys() - fields.keys():
        close = difflib.get_close_matches(name, fields, n=1)
        hint = f"did you mean {close[0]!r}?" if close else "see wandb.Settings."
        raise ConfigurationError(f"WandbLogger(settings=): W&B has no setting {name!r}; {hint}")

    for name, given in (("id", named["id"]), ("settings=run_id", settings.get("run_id"))):
        if given is not None:
            with _checking(f"WandbLogger({name}={given!r})"):
                check_run_id(given)
    for name, given in {**named, **arguments}.items():
        setting = SETTINGS.get(name, name)
        if given is not None and setting in fields:
            with _checking(f"WandbLogger({name}={given!r})"):
                wandb.Settings(**{setting: given})
    with _checking("WandbLogger(settings=)"):
        wandb.Settings(**settings)


@contextlib.contextmanager
def _checking(what: str) -> Iterator[None]:
    """Refuse what wandb refuses, with its reason."""
    import wandb

    try:
        yield
    except (ValueError, TypeError, wandb.Error) as error:
        # Pydantic's has a line for each wrong value behind the first one.
        lines = [line.strip() for line in str(error).splitlines()]
        reason = " ".join(lines[1:3] if len(lines) > 1 else lines).partition(" [type=")[0]
        raise ConfigurationError(f"{what}: {reason}") from error


def check_environment() -> None:
    """Refuse variables that wandb would refuse later, in a thread.

    Raises:
        ConfigurationError: One of WANDB_MODE, WANDB_RUN_ID, WANDB_PROJECT, ... is wrong.
    """
    import wandb

    if "WANDB_MODE" in os.environ:
        checked_choice("WANDB_MODE", os.environ["WANDB_MODE"], (*MODES, *SPELLINGS))
    if os.environ.get("WANDB_RUN_ID"):
        run_id = os.environ["WANDB_RUN_ID"]
        with _checking(f"WANDB_RUN_ID={run_id!r}"):
            check_run_id(run_id)
    for name, text in os.environ.items():
        if name.startswith("WANDB_") and name not in SECRETS:
            with _checking(f"{name}={text!r}"):
                wandb.Settings().update_from_env_vars({name: text})


def check_experiment(experiment: Any) -> None:
    """Refuse what is no open run.

    Raises:
        ConfigurationError: It is something else, or a run that is finished.
    """
    if experiment is None:
        return
    if not (hasattr(experiment, "id") and hasattr(experiment, "define_metric")):
        raise ConfigurationError(
            f"WandbLogger(experiment={experiment!r:.80}): give the run that wandb.init returned."
        )
    if getattr(experiment, "_is_finished", False):
        raise ConfigurationError(
            f"WandbLogger(experiment=): the run {experiment.id!r} is finished; give one that is "
            f"open, or id={experiment.id!r} to go on with it."
        )


def chosen_mode(mode: str | None, settings: Mapping[str, Any]) -> str | None:
    """Return the mode that somebody has chosen; None where nobody has.

    The first that is there: `mode=`, `settings=`, WANDB_MODE, WANDB_DISABLED (which wandb itself
    forgot), and wandb's own settings, which `wandb offline` and `wandb disabled` write.

    Raises:
        ConfigurationError: It is no mode; names where it comes from.
    """
    import wandb

    chosen, where = mode or settings.get("mode"), "WandbLogger: mode"
    if chosen is None:
        chosen, where = os.environ.get("WANDB_MODE"), "WANDB_MODE"
    if chosen is None and os.environ.get("WANDB_DISABLED", "").strip().lower() in TRUE:
        return "disabled"
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
