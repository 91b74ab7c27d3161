"""Callbacks and loggers; imported as `lightning_tf.callbacks`."""

if __name__ != "lightning_tf.callbacks":
    raise ImportError("import lightning_tf.callbacks, not callbacks")

from typing import TYPE_CHECKING

from lightning_tf.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from lightning_tf.callbacks.backbone_finetuning import BackboneFinetuning
    from lightning_tf.callbacks.batch_size_finder import BatchSizeFinder
    from lightning_tf.callbacks.checkpointing.model_checkpoint import ModelCheckpoint
    from lightning_tf.callbacks.device_stats import DeviceStats
    from lightning_tf.callbacks.early_stopping import EarlyStopping
    from lightning_tf.callbacks.ema import EMA
    from lightning_tf.callbacks.gradient_accumulation_scheduler import GradientAccumulationScheduler
    from lightning_tf.callbacks.keras_adapter import KerasAdapter
    from lightning_tf.callbacks.lambda_callback import LambdaCallback
    from lightning_tf.callbacks.learning_rate_finder import LearningRateFinder
    from lightning_tf.callbacks.learning_rate_monitor import LearningRateMonitor
    from lightning_tf.callbacks.loggers.console_logger import ConsoleLogger
    from lightning_tf.callbacks.loggers.csv_logger import CSVLogger
    from lightning_tf.callbacks.loggers.json_lines_logger import JSONLinesLogger
    from lightning_tf.callbacks.loggers.tensor_board_logger import TensorBoardLogger
    from lightning_tf.callbacks.model_summary import ModelSummary
    from lightning_tf.callbacks.optuna_pruning import OptunaPruning
    from lightning_tf.callbacks.prediction_writer import PredictionWriter
    from lightning_tf.callbacks.progress_bar import ProgressBar
    from lightning_tf.callbacks.reduce_lr_on_plateau import ReduceLROnPlateau
    from lightning_tf.callbacks.terminate_on_nan import TerminateOnNaN
    from lightning_tf.callbacks.timer import Timer
    from lightning_tf.callbacks.wandb.wandb_logger import WandbLogger

__all__ = [
    "EMA",
    "BackboneFinetuning",
    "BatchSizeFinder",
    "CSVLogger",
    "ConsoleLogger",
    "DeviceStats",
    "EarlyStopping",
    "GradientAccumulationScheduler",
    "JSONLinesLogger",
    "KerasAdapter",
    "LambdaCallback",
    "LearningRateFinder",
    "LearningRateMonitor",
    "ModelCheckpoint",
    "ModelSummary",
    "OptunaPruning",
    "PredictionWriter",
    "ProgressBar",
    "ReduceLROnPlateau",
    "TensorBoardLogger",
    "TerminateOnNaN",
    "Timer",
    "WandbLogger",
]

__getattr__, __dir__ = lazy_exports(__name__)
