"""lightning_tf: a Lightning-style trainer for Keras 3 on TensorFlow."""

from lightning_tf.callback import Callback
from lightning_tf.data.data_module import DataModule
from lightning_tf.logger import Logger
from lightning_tf.seed import seed_everything
from lightning_tf.task import Task
from lightning_tf.trainer import Trainer
from lightning_tf.version import __version__

__all__ = [
    "Callback",
    "DataModule",
    "Logger",
    "Task",
    "Trainer",
    "__version__",
    "seed_everything",
]
