"""Tasks: model, data and metrics in one object; imported as `lightning_tf.tasks`."""

if __name__ != "lightning_tf.tasks":
    raise ImportError("import lightning_tf.tasks, not tasks")

from typing import TYPE_CHECKING

from lightning_tf.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from lightning_tf.tasks.gan.gan import GAN as GAN
    from lightning_tf.tasks.image_classification.image_classification import (
        ImageClassification as ImageClassification,
    )
    from lightning_tf.tasks.keras_task.keras_task import KerasTask as KerasTask
    from lightning_tf.tasks.object_detection.detection_writer import (
        DetectionWriter as DetectionWriter,
    )
    from lightning_tf.tasks.object_detection.mean_average_precision import (
        MeanAveragePrecision as MeanAveragePrecision,
    )
    from lightning_tf.tasks.object_detection.object_detection import (
        ObjectDetection as ObjectDetection,
    )
    from lightning_tf.tasks.style_transfer.style_transfer import StyleTransfer as StyleTransfer
    from lightning_tf.tasks.tabular.regression import Regression as Regression
    from lightning_tf.tasks.tabular.tabular_classification import (
        TabularClassification as TabularClassification,
    )
    from lightning_tf.tasks.text_classification.text_classification import (
        TextClassification as TextClassification,
    )
    from lightning_tf.tasks.text_classification.text_explanation import (
        TextExplanation as TextExplanation,
    )
    from lightning_tf.tasks.time_series_forecast.time_series_forecast import (
        TimeSeriesForecast as TimeSeriesForecast,
    )
    from lightning_tf.tasks.transfer_learning.transfer_learning import (
        TransferLearning as TransferLearning,
    )

__getattr__, __dir__, __all__ = lazy_exports(__name__)
