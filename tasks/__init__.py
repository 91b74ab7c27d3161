"""Tasks: model, data and metrics in one object; imported as `lightning_tf.tasks`."""

if __name__ != "lightning_tf.tasks":
    raise ImportError("import lightning_tf.tasks, not tasks")

from typing import TYPE_CHECKING

from lightning_tf.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from lightning_tf.tasks.gan.gan import GAN
    from lightning_tf.tasks.image_classification.image_classification import ImageClassification
    from lightning_tf.tasks.keras_task.keras_task import KerasTask
    from lightning_tf.tasks.style_transfer.style_transfer import StyleTransfer
    from lightning_tf.tasks.tabular.regression import Regression
    from lightning_tf.tasks.tabular.tabular_classification import TabularClassification
    from lightning_tf.tasks.text_classification.text_classification import TextClassification
    from lightning_tf.tasks.time_series_forecast.time_series_forecast import TimeSeriesForecast
    from lightning_tf.tasks.transfer_learning.transfer_learning import TransferLearning

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

__getattr__, __dir__ = lazy_exports(__name__)
