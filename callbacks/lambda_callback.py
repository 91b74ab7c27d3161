"""LambdaCallback: a callback made of functions."""

from collections.abc import Callable
from typing import Any

from lightning_tf.callback import Callback
from lightning_tf.checks import checked_integer
from lightning_tf.exceptions import ConfigurationError, nearest
from lightning_tf.trainer import Trainer

HOOKS = ("setup", *(name for name in vars(Callback) if name.startswith("on_")), "teardown")


class LambdaCallback(Callback):
    """A callback made of functions, each named after a hook and called with its arguments.

    A per-batch hook makes windows one batch long, as always; `on_every_n_steps` does not.

    Args:
        every_n_steps: The cadence of `on_every_n_steps`, in updates.
        on_every_n_steps: Called with ``(trainer, task)`` after every so many updates.
        hooks: Functions by the name of a hook of `Callback`.

    Raises:
        ConfigurationError: A name is no hook, a value is no function, or only one of the first two
            arguments is set.

    Example:
        >>> say = LambdaCallback(on_train_epoch_end=lambda trainer, task: print("another epoch"))
        >>> look = LambdaCallback(100, lambda trainer, task: print(trainer.global_step))
        >>> Trainer(max_epochs=2, callbacks=[say, look]).fit(task)
    """

    def __init__(
        self,
        every_n_steps: int | None = None,
        on_every_n_steps: Callable[..., None] | None = None,
        **hooks: Callable[..., None],
    ) -> None:
        if (every_n_steps is None) != (on_every_n_steps is None):
            raise ConfigurationError(
                "LambdaCallback: give every_n_steps and on_every_n_steps together."
            )
        if every_n_steps is not None:
            checked_integer("LambdaCallback: every_n_steps", every_n_steps, least=1)

        for name, function in {"on_every_n_steps": on_every_n_steps, **hooks}.items():
            if name != "on_every_n_steps" and name not in HOOKS:
                raise ConfigurationError(
                    f"LambdaCallback has no hook {name!r}.{nearest(name, HOOKS)}"
                )
            if function is not None and not callable(function):
                raise ConfigurationError(f"LambdaCallback({name}={function!r}): give a function.")

        self.every_n_steps = every_n_steps
        # Set on the object: a hook that is not overridden costs nothing.
        for name, function in hooks.items():
            setattr(self, name, function)

        if on_every_n_steps is not None:
            # Both may be wanted: the cadence has its hook, and calls the user's first.
            self.on_train_window_end = self._both(  # type: ignore[method-assign]
                hooks.get("on_train_window_end"), on_every_n_steps
            )

    def _both(
        self, window_end: Callable[..., None] | None, on_every_n_steps: Callable[..., None]
    ) -> Callable[..., None]:
        def call(trainer: Trainer, task: Any) -> None:
            if window_end is not None:
                window_end(trainer, task)
            if self.is_due(trainer):
                on_every_n_steps(trainer, task)

        return call
