"""Callbacks and loggers, one a file; imported as `lightning_tf.callbacks`."""

if __name__ != "lightning_tf.callbacks":
    raise ImportError("import lightning_tf.callbacks, not callbacks")

from lightning_tf.callbacks.backbone_finetuning import BackboneFinetuning
from lightning_tf.callbacks.csv_logger import CSVLogger
from lightning_tf.callbacks.early_stopping import EarlyStopping
from lightning_tf.callbacks.ema import EMA
from lightning_tf.callbacks.gradient_accumulation_scheduler import GradientAccumulationScheduler
from lightning_tf.callbacks.keras_adapter import KerasAdapter
from lightning_tf.callbacks.model_checkpoint import ModelCheckpoint
from lightning_tf.callbacks.model_summary import ModelSummary
from lightning_tf.callbacks.progress_bar import ProgressBar

__all__ = [
    "EMA",
    "BackboneFinetuning",
    "CSVLogger",
    "EarlyStopping",
    "GradientAccumulationScheduler",
    "KerasAdapter",
    "ModelCheckpoint",
    "ModelSummary",
    "ProgressBar",
]
