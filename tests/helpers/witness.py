"""Print the results of small fits of every task: `python tests/helpers/witness.py [case ...]`.

Every row that was logged and every tensor of the checkpoint is printed with a digest of its bytes.
A refactoring must leave the output as it is on one machine; another processor rounds differently.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
import warnings
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MPLBACKEND", "Agg")

import keras
import numpy as np
from safetensors.numpy import load_file

from lightning_tf import Logger, Trainer
from lightning_tf.tasks import (
    GAN,
    ImageClassification,
    KerasTask,
    Regression,
    StyleTransfer,
    TabularClassification,
    TextClassification,
    TimeSeriesForecast,
    TransferLearning,
)

SHORT = {"max_epochs": 2, "limit_train_batches": 3, "limit_val_batches": 2, "log_every_n_steps": 1}
STYLE = {
    "weights": None,
    "image_size": 32,
    "progress_every": 0,
    "content_layers": ["block2_conv1"],
    "style_layers": ["block1_conv1", "block2_conv1"],
}


class Rows(Logger):
    """Keeps the rows."""

    def __init__(self):
        self.rows = []

    def log_metrics(self, metrics, step):
        self.rows.append((step, dict(metrics)))


def _images(seed, count=48, size=16):
    random = np.random.default_rng(seed)
    return random.integers(0, 256, (count, size, size, 3)).astype("uint8"), np.arange(count) % 3


def _backbone():
    layers = [
        keras.Input((16, 16, 3)),
        keras.layers.Conv2D(4, 3),
        keras.layers.BatchNormalization(),
    ]
    return keras.Sequential(layers)


def _transfer(**options):
    return TransferLearning(_images(0), _backbone(), batch_size=8, **options)


def _forecast(**options):
    series = np.sin(np.arange(400) / 7.0).astype("float32")
    return TimeSeriesForecast(series, history=16, horizon=4, units=8, batch_size=16, **options)


def _keras_task():
    model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(8), keras.layers.Dropout(0.3)])
    model.add(keras.layers.Dense(1))
    model.compile(keras.optimizers.RMSprop(1e-3), "mse", metrics=["mae"])
    x = np.random.default_rng(1).normal(size=(64, 8)).astype("float32")
    return KerasTask(model, data=(x, x[:, :1]), val_fraction=0.25, batch_size=8)


def _small_image(**options):
    return ImageClassification("digits", "convnet", batch_size=32, **options)


# name: (how the task is made, the Trainer's arguments)
CASES = {
    "image": (_small_image, {}),
    "image_bfloat16": (_small_image, {"precision": "bf16-mixed"}),
    "image_float16": (lambda: _small_image(dropout=0.2), {"precision": "16-mixed"}),
    "image_accumulated": (_small_image, {"accumulate_grad_batches": 2, "gradient_clip_val": 0.1}),
    "image_two_replicas": (
        lambda: _small_image(dropout=0.2, optimizer="sgd"),
        {"devices": 2, "accumulate_grad_batches": 2, "gradient_clip_val": 0.1},
    ),
    "image_resnet_augmented": (
        lambda: ImageClassification(
            _images(3), "resnet", batch_size=16, augmentation=["flip", "mixup"]
        ),
        {"limit_train_batches": 1},
    ),
    "transfer": (lambda: _transfer(train="all"), {}),
    "transfer_cached": (lambda: _transfer(cache_features=True), {}),
    "text_bag_of_words": (lambda: TextClassification("bbc_news", max_length=64), {}),
    "text_lstm": (lambda: TextClassification("bbc_news", "lstm", max_length=16, units=8), {}),
    "forecast_gru": (_forecast, {}),
    "forecast_quantiles": (lambda: _forecast(network="nbeats", quantiles=(0.1, 0.5, 0.9)), {}),
    "gan": (lambda: GAN("digits", batch_size=32, width=8, quality_every_n_epochs=0), {}),
    "gan_wasserstein": (
        lambda: GAN("digits", "wgan-gp", batch_size=32, width=8, n_critic=2, conditional=True),
        {},
    ),
    "gan_two_replicas": (lambda: GAN("digits", "hinge", batch_size=32, width=8), {"devices": 2}),
    "style_optimize": (
        lambda: StyleTransfer(_images(1, 1, 32)[0][0], _images(2, 1, 32)[0][0], **STYLE),
        {},
    ),
    "style_fast": (
        lambda: StyleTransfer(
            _images(1, 9, 32)[0],
            _images(2, 1, 32)[0][0],
            "fast",
            batch_size=3,
            filters=4,
            residual_blocks=1,
            **STYLE,
        ),
        {},
    ),
    "tabular": (lambda: TabularClassification("xor", units=(8,), dropout=0.1), {}),
    "regression": (lambda: Regression("diabetes", units=(8,), loss="mae"), {}),
    "keras_task": (_keras_task, {}),
}


def witness(name, folder):
    """Run a case and return a line for each logged value and each tensor."""
    make, arguments = CASES[name]
    keras.utils.clear_session()
    keras.utils.set_random_seed(0)  # before the task: some bring models that are made already
    checkpoint = folder / name
    rows, epochs = Rows(), SHORT["max_epochs"]
    lines = _fit(make(), rows, checkpoint, arguments)
    if arguments.get("accumulate_grad_batches"):  # again, resumed inside an accumulation window
        rows = Rows()
        _fit(make(), rows, folder / "first", {**arguments, "max_steps": 1})
        resumed = {**arguments, "max_epochs": epochs}
        lines += _fit(make(), rows, folder / "second", resumed, ckpt_path=folder / "first")
    return [f"{name} {line}" for line in lines]


def _fit(task, rows, checkpoint, arguments, ckpt_path=None):
    quiet = {"enable_progress_bar": False, "enable_model_summary": False}
    quiet |= {"enable_checkpointing": False, "logger": rows, "seed": 0, "accelerator": "cpu"}
    trainer = Trainer(**{**SHORT, **quiet, "default_root_dir": checkpoint.parent, **arguments})
    trainer.fit(task, ckpt_path=ckpt_path)
    trainer.save_checkpoint(checkpoint)
    lines = [
        f"row {step} {key} {float(value).hex()}"
        for step, row in rows.rows
        for key, value in row.items()
    ]
    tensors = load_file(checkpoint / "state.safetensors")
    for key in sorted(tensors):
        value = tensors[key]
        digest = hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()[:16]
        lines.append(f"tensor {key} {value.dtype}{list(value.shape)} {digest}")
    return lines


def _main(names):
    import tensorflow as tf

    warnings.simplefilter("ignore")
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    with tempfile.TemporaryDirectory() as folder:
        for name in names or CASES:
            print("\n".join(witness(name, Path(folder))), flush=True)


if __name__ == "__main__":
    _main(sys.argv[1:])
