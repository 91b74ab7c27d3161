"""lightning_tf: a Lightning-style trainer for Keras 3 on TensorFlow."""

from typing import TYPE_CHECKING

from lightning_tf.lazy_exports import lazy_exports
from lightning_tf.screen import show_messages
from lightning_tf.version import __version__ as __version__

if TYPE_CHECKING:
    from lightning_tf.callback import END_EPOCH as END_EPOCH
    from lightning_tf.callback import Callback as Callback
    from lightning_tf.data.data_module import DataModule as DataModule
    from lightning_tf.function_metric import FunctionMetric as FunctionMetric
    from lightning_tf.host_metric import HostMetric as HostMetric
    from lightning_tf.logger import Logger as Logger
    from lightning_tf.prediction_table import PredictionTable as PredictionTable
    from lightning_tf.predictor import Predictor as Predictor
    from lightning_tf.run_report.report import report as report
    from lightning_tf.seed import seed_everything as seed_everything
    from lightning_tf.serving.serving_app import serving_app as serving_app
    from lightning_tf.task import Task as Task
    from lightning_tf.trainer import Trainer as Trainer
    from lightning_tf.tuning.hyperparameter_search import (
        HyperparameterSearch as HyperparameterSearch,
    )

# Imported when they are asked for: `lightning-tf launch` needs no TensorFlow.
show_messages()
__getattr__, __dir__, __all__ = lazy_exports(__name__)
