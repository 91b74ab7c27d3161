"""The Tasks whose windows `gpu_plan` counts, each small and without a download."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pandas as pd

from lightning_tf.data import DigitScenes
from lightning_tf.tasks import (
    GAN,
    ImageClassification,
    KerasTask,
    ObjectDetection,
    Regression,
    StyleTransfer,
    TabularClassification,
    TextClassification,
    TimeSeriesForecast,
    TransferLearning,
)

TEXTS = (["good film here", "bad film"] * 40, ["p", "n"] * 40)


def table() -> pd.DataFrame:
    """Return rows with a number and a category."""
    return pd.DataFrame({"a": np.arange(80.0), "c": ["u", "v"] * 40, "label": ["p", "q"] * 40})


def series() -> pd.DataFrame:
    """Return two hundred days of noise."""
    values = np.random.default_rng(0).normal(size=200)
    return pd.DataFrame({"day": pd.date_range("2020-01-01", periods=200), "y": values})


def images(count: int) -> Any:
    """Return images of noise that are large enough for every network here."""
    return np.random.default_rng(0).integers(0, 255, (count, 32, 32, 3)).astype("uint8")


def keras_mlp() -> KerasTask:
    """Return a model of layers as a user brings it, with a metric."""
    layers = [keras.layers.Dense(8, "relu"), keras.layers.Dense(2)]
    model = keras.Sequential([keras.Input((4,)), *layers])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    data = np.zeros((32, 4), "float32"), np.zeros(32, "int64")
    return KerasTask(model, loss, "adam", ["accuracy"], data=data, batch_size=8)


def resnet() -> KerasTask:
    """Return a ResNet50 with Adam on small images."""
    model = keras.applications.ResNet50(weights=None, classes=10, input_shape=(64, 64, 3))
    data = np.zeros((32, 64, 64, 3), "float32"), np.zeros(32, "int64")
    loss = "sparse_categorical_crossentropy"
    return KerasTask(model, loss, keras.optimizers.Adam(), data=data, batch_size=8)


def transfer(train: str) -> TransferLearning:
    """Return a head on the smallest backbone, alone or with it."""
    data = images(16), np.arange(16) % 2
    return TransferLearning(data, "MobileNetV2", weights=None, train=train, batch_size=8)


def detection(head: str) -> ObjectDetection:
    """Return a small detector with its own augmentation."""
    data = DigitScenes(train_scenes=16, val_scenes=8, test_scenes=8)
    return ObjectDetection(
        data, backbone="small", head=head, image_size=96, levels=(3, 4, 5), width=16
    )


def style(method: str) -> StyleTransfer:
    """Return one of the two methods that train, with two layers of the loss network."""
    layers = {"content_layers": ["block2_conv1"], "style_layers": ["block1_conv1"]}
    small = {"filters": 4, "residual_blocks": 1} if method == "fast" else {}
    content = images(9) if method == "fast" else images(1)[0]
    return StyleTransfer(
        content, images(1)[0], method, weights=None, image_size=32, **layers, **small
    )


TASKS: dict[str, tuple[Callable[[], Any], str]] = {
    "images": (lambda: ImageClassification("digits"), "float32"),
    "images, float16": (lambda: ImageClassification("digits"), "mixed_float16"),
    "images, head": (lambda: transfer("head"), "float32"),
    "images, fine-tuning": (lambda: transfer("all"), "float32"),
    "table": (lambda: TabularClassification(table(), "label"), "float32"),
    "table, numbers": (lambda: Regression(table(), "a"), "float32"),
    "texts": (lambda: TextClassification(TEXTS), "float32"),
    "texts, lstm": (lambda: TextClassification(TEXTS, network="lstm"), "float32"),
    "texts, bidirectional": (lambda: TextClassification(TEXTS, "bidirectional_gru"), "float32"),
    "series, gru": (lambda: TimeSeriesForecast(series(), network="gru", history=10), "float32"),
    "detection, retinanet": (lambda: detection("retinanet"), "float32"),
    "detection, ssd": (lambda: detection("ssd"), "float32"),
    "style, optimize": (lambda: style("optimize"), "float32"),
    "style, fast": (lambda: style("fast"), "float32"),
    "GAN": (lambda: GAN("digits"), "float32"),
    "Keras' MLP": (keras_mlp, "float32"),
    "ResNet50": (resnet, "float32"),
}
