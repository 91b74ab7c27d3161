"""quiet_trainer: a Trainer that leaves nothing behind, for experiments that draw for themselves."""

from typing import Any

from lightning_tf import Trainer


def quiet_trainer(max_epochs: int, **arguments: Any) -> Trainer:
    """Return a Trainer without loggers, checkpoints, progress bar and summary, of seed 0.

    Args:
        max_epochs: Of the fit.
        **arguments: Others of the Trainer, such as ``callbacks``.
    """
    quiet = {
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "seed": 0,
    }
    return Trainer(max_epochs=max_epochs, **(quiet | arguments))
