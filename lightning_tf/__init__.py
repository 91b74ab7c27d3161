"""lightning_tf: a Lightning-style trainer for Keras 3 on TensorFlow."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lightning_tf.version import __version__

if TYPE_CHECKING:
    from lightning_tf.callback import Callback
    from lightning_tf.data.data_module import DataModule
    from lightning_tf.logger import Logger
    from lightning_tf.seed import seed_everything
    from lightning_tf.task import Task
    from lightning_tf.trainer import Trainer

__all__ = [
    "Callback",
    "DataModule",
    "Logger",
    "Task",
    "Trainer",
    "__version__",
    "seed_everything",
]

# Imported when they are asked for: `lightning-tf launch` needs no TensorFlow.
_ROOMS = {
    "Callback": "callback",
    "DataModule": "data.data_module",
    "Logger": "logger",
    "Task": "task",
    "Trainer": "trainer",
    "seed_everything": "seed",
}


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)
    globals()[name] = value  # found at once from now on
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
