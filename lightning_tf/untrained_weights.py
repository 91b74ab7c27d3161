"""warn_of_untrained: weights that are used as they were made."""

import logging
from typing import Any

from lightning_tf.variables import optimizable_variables

log = logging.getLogger("lightning_tf")


def warn_of_untrained(task: Any, entry_point: str) -> None:
    """Warn where weights are evaluated that nobody has trained or loaded.

    Args:
        task: Whose models are made.
        entry_point: What uses them.
    """
    if task.has_learned or task.brings_weights or not optimizable_variables(task):
        return
    log.warning(
        "%s uses weights as they were made: no fit of this task came before, and neither "
        "ckpt_path= nor from_checkpoint gave any. Where %s loads weights by itself, set "
        "brings_weights = True in the class.",
        entry_point,
        type(task).__name__,
    )
