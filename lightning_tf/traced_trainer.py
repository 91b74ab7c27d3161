"""TracedTrainer: a Trainer as a step sees it while it is traced."""

from functools import partial
from types import MethodType
from typing import Any

from lightning_tf.exceptions import ConfigurationError
from lightning_tf.step_context import POSITION
from lightning_tf.traced_reads import TracedReads, read_attribute


class TracedTrainer:
    """A Trainer as a step sees it while it is traced: what is read of it is noted.

    Args:
        trainer: The Trainer.
        reads: Of the step.
    """

    def __init__(self, trainer: Any, reads: TracedReads) -> None:
        vars(self).update(_trainer=trainer, _reads=reads)

    def __setattr__(self, name: str, value: Any) -> None:
        """Refuse to set an attribute of the Trainer: it would be set once, at the trace.

        Raises:
            ConfigurationError: Names the attribute.
        """
        raise ConfigurationError(
            f"{self._reads.method} sets trainer.{name}, which would happen once, when the step is "
            "traced: set it in a hook."
        )

    def __getattr__(self, name: str) -> Any:
        """Return the Trainer's attribute.

        Raises:
            ConfigurationError: It is a method, which would run once, when the step is traced.
        """
        try:
            value = getattr(self._trainer, name)
        except AttributeError:
            self._reads.watch(
                f"self.trainer.{name}", partial(read_attribute, self._trainer, name), 1
            )
            raise
        if isinstance(value, MethodType):
            raise ConfigurationError(
                f"{self._reads.method} calls trainer.{name}, which would run once, when the step "
                "is traced: call it in a hook; log values of a step with self.log."
            )
        if name not in POSITION:
            self._reads.watch(f"self.trainer.{name}", partial(getattr, self._trainer, name), 1)
        return value
