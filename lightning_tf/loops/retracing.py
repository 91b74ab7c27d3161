"""Whether a compiled step must be traced again."""

import logging

from lightning_tf.graph.window import Window

log = logging.getLogger("lightning_tf")


def has_changed(window: Window, told: set[str]) -> bool:
    """Return whether a Python value that a step read when it was traced is another now.

    Args:
        window: The compiled step.
        told: The values of which the user was told; what is told now is added.
    """
    change = window.change()
    if change is None:
        return False

    name, old, new = change
    if name not in told:
        told.add(name)
        # A list that was changed in place is the same object, with what it holds now.
        before = "" if old is new else f" = {old!r}"
        log.warning(
            "%s was traced with %s%s, which is now %r: it is traced again, here and at every "
            "change to come. To change a number without a trace, make it a keras.Variable and "
            "assign it in a hook, or compute it from tf.cast(self.trainer.global_step, 'float32').",
            window.step.method,
            name,
            before,
            new,
        )
    return True
