"""Tasks: model, data and metrics in one object; imported as `lightning_tf.tasks`."""

if __name__ != "lightning_tf.tasks":
    raise ImportError("import lightning_tf.tasks, not tasks")

from lightning_tf.tasks.gan import GAN
from lightning_tf.tasks.image_classification import ImageClassification
from lightning_tf.tasks.keras_task import KerasTask
from lightning_tf.tasks.regression import Regression
from lightning_tf.tasks.style_transfer import StyleTransfer
from lightning_tf.tasks.tabular_classification import TabularClassification
from lightning_tf.tasks.text_classification import TextClassification
from lightning_tf.tasks.time_series_forecast import TimeSeriesForecast
from lightning_tf.tasks.transfer_learning import TransferLearning

__all__ = [
    "GAN",
    "ImageClassification",
    "KerasTask",
    "Regression",
    "StyleTransfer",
    "TabularClassification",
    "TextClassification",
    "TimeSeriesForecast",
    "TransferLearning",
]
