"""KerasStop: the stop requests that one callback of Keras makes by ``model.stop_training``."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import keras

from lightning_tf.trainer import Trainer


class _Untouched(int):
    """Stands in ``model.stop_training`` while a hook runs, equal to what was there.

    What a hook assigns is another object, also where it is the same truth: of two callbacks that
    ask, each is known.
    """


class KerasStop:
    """Tells what one callback makes of the attribute that all of them share.

    A request that waits for min_epochs belongs to the callback that made it: False, assigned later,
    takes back that callback's alone. Where the attribute still shows a request, False takes it
    back whoever made it, as in fit. EarlyStopping gives its verdict anew after every epoch.

    Args:
        callback: The Keras callback.
    """

    def __init__(self, callback: keras.callbacks.Callback) -> None:
        name = type(callback).__name__
        self._gives_verdict = isinstance(callback, keras.callbacks.EarlyStopping)
        if self._gives_verdict:
            names = ("monitor", "patience", "min_delta")  # which tell two of them apart
            name += f"({', '.join(f'{n}={getattr(callback, n)!r}' for n in names)})"
        self.reason = f"{name} of Keras has set model.stop_training"
        self.wanted = False

    @contextmanager
    def watching(
        self, trainer: Trainer, model: keras.Model, others: Iterable["KerasStop"], epoch_ends: bool
    ) -> Iterator[None]:
        """Note what a hook, called inside the block, assigns to ``model.stop_training``.

        Args:
            trainer: Of the run.
            model: Whose attribute it is.
            others: Of the other callbacks of Keras.
            epoch_ends: Whether the hook is the one in which EarlyStopping judges.
        """
        attributes = vars(model)  # not setattr: Keras would track it
        untouched = attributes["stop_training"] = _Untouched(attributes["stop_training"])
        yield
        assigned = attributes["stop_training"]
        attributes["stop_training"] = bool(assigned)

        if assigned is untouched and not (self._gives_verdict and epoch_ends):
            return
        self.wanted = assigned is not untouched and bool(assigned)
        if self.wanted:
            return

        takes_back_all = untouched and assigned is not untouched
        for stop in others:
            if takes_back_all:
                stop.wanted = False
                trainer.withdraw_stop(stop.reason)
        if not any(stop.wanted and stop.reason == self.reason for stop in others):
            trainer.withdraw_stop(self.reason)

    def waits(self, trainer: Trainer) -> bool:
        """Return whether the callback has asked, and the Trainer does not know."""
        return self.wanted and self.reason not in trainer.status.stop_requests

    def forward(self, trainer: Trainer) -> None:
        """Ask the Trainer, where the callback has asked."""
        if self.wanted:
            trainer.request_stop(self.reason)
