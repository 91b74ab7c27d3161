"""Callbacks and loggers, one a file; imported as `lightning_tf.callbacks`."""

if __name__ != "lightning_tf.callbacks":
    raise ImportError("import lightning_tf.callbacks, not callbacks")

from lightning_tf.callbacks.progress_bar import ProgressBar

__all__ = ["ProgressBar"]
