"""Callbacks and loggers; imported as `lightning_tf.callbacks`."""

if __name__ != "lightning_tf.callbacks":
    raise ImportError("import lightning_tf.callbacks, not callbacks")

from typing import TYPE_CHECKING

from lightning_tf.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from lightning_tf.callbacks.backbone_finetuning import BackboneFinetuning as BackboneFinetuning
    from lightning_tf.callbacks.batch_size_finder import BatchSizeFinder as BatchSizeFinder
    from lightning_tf.callbacks.checkpointing.model_checkpoint import (
        ModelCheckpoint as ModelCheckpoint,
    )
    from lightning_tf.callbacks.device_stats import DeviceStats as DeviceStats
    from lightning_tf.callbacks.early_stopping import EarlyStopping as EarlyStopping
    from lightning_tf.callbacks.ema import EMA as EMA
    from lightning_tf.callbacks.feature_maps import FeatureMaps as FeatureMaps
    from lightning_tf.callbacks.gradient_accumulation_scheduler import (
        GradientAccumulationScheduler as GradientAccumulationScheduler,
    )
    from lightning_tf.callbacks.keras_adapter import KerasAdapter as KerasAdapter
    from lightning_tf.callbacks.lambda_callback import LambdaCallback as LambdaCallback
    from lightning_tf.callbacks.learning_rate_finder import LearningRateFinder as LearningRateFinder
    from lightning_tf.callbacks.learning_rate_monitor import (
        LearningRateMonitor as LearningRateMonitor,
    )
    from lightning_tf.callbacks.loggers.console_logger import ConsoleLogger as ConsoleLogger
    from lightning_tf.callbacks.loggers.csv_logger import CSVLogger as CSVLogger
    from lightning_tf.callbacks.loggers.histogram_logger import HistogramLogger as HistogramLogger
    from lightning_tf.callbacks.loggers.histograms import Histograms as Histograms
    from lightning_tf.callbacks.loggers.json_lines_logger import JSONLinesLogger as JSONLinesLogger
    from lightning_tf.callbacks.loggers.mlflow_logger import MLflowLogger as MLflowLogger
    from lightning_tf.callbacks.loggers.notebook_logger import NotebookLogger as NotebookLogger
    from lightning_tf.callbacks.loggers.tensor_board_logger import (
        TensorBoardLogger as TensorBoardLogger,
    )
    from lightning_tf.callbacks.loggers.trackio_logger import TrackioLogger as TrackioLogger
    from lightning_tf.callbacks.model_summary import ModelSummary as ModelSummary
    from lightning_tf.callbacks.optuna_pruning import OptunaPruning as OptunaPruning
    from lightning_tf.callbacks.prediction_writer import PredictionWriter as PredictionWriter
    from lightning_tf.callbacks.progress_bar import ProgressBar as ProgressBar
    from lightning_tf.callbacks.ray_report import RayReport as RayReport
    from lightning_tf.callbacks.reduce_lr_on_plateau import ReduceLROnPlateau as ReduceLROnPlateau
    from lightning_tf.callbacks.stochastic_weight_averaging import (
        StochasticWeightAveraging as StochasticWeightAveraging,
    )
    from lightning_tf.callbacks.terminate_on_nan import TerminateOnNaN as TerminateOnNaN
    from lightning_tf.callbacks.timer import Timer as Timer
    from lightning_tf.callbacks.wandb.wandb_logger import WandbLogger as WandbLogger

__getattr__, __dir__, __all__ = lazy_exports(__name__)
