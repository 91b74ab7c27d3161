"""The checks of gpu.py; each runs alone in a process.

A check returns a verdict, figures and a text. ``measured`` is of figures without a bound,
``passed`` and ``failed`` of those with one; ``not measured`` is what this machine cannot show.
"""

from __future__ import annotations

import hashlib
import statistics
import time
from collections.abc import Callable
from typing import Any

import checkpoint_stall
import conv_net
import gpu_networks
import keras
import measure
import numpy as np
import recurrent
import tensorflow as tf
import tiny_mlp
from gpu_networks import Images
from peer import peer

from lightning_tf import Trainer
from lightning_tf.callbacks import BatchSizeFinder
from lightning_tf.layers import FusedBatchNormalization
from lightning_tf.tasks import KerasTask

Result = dict[str, Any]
Runs = dict[str, Callable[[], measure.Timing]]
QUIET = {
    "logger": False,
    "enable_checkpointing": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
    "num_sanity_val_steps": 0,
    "devices": 1,
}
EPOCHS, PARITY = 3, 1e-5


def gpus() -> list[Any]:
    """Return the GPUs that TensorFlow sees."""
    return list(tf.config.list_physical_devices("GPU"))


def result(verdict: str, text: str = "", **figures: float) -> Result:
    """Return what a check returns; of a dry run, nothing is measured."""
    if not gpus() and verdict == "measured":
        verdict = "dry run"
    return {"verdict": verdict, "text": text, "figures": figures}


def compare(runs: Runs, steps: int, rounds: int, text: str = "") -> Result:
    """Time contenders in turn; the first is compared with each of the others."""
    medians, timings = measure.alternate(runs, rounds, warm_up=False)
    figures = {f"{name} (ms a step)": t.epoch / steps * 1e3 for name, t in medians.items()}
    first, *others = timings
    for other in others:
        figures[f"speed to {other}"] = measure.speed(timings[first], timings[other])
    return result("measured", text, **figures)


# ---- speeds


def machine(quick: bool) -> Result:
    """Describe this machine."""
    details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus()]
    names = [f"{d.get('device_name')} {d.get('compute_capability')}" for d in details]
    return {"machine": measure.machine(), "gpus": names}


def tiny_mlp_(quick: bool) -> Result:
    """A step that is all overhead."""
    steps, rounds = (50, 1) if quick else (1000, 2)
    runs: Runs = {
        "Trainer": lambda: tiny_mlp.trainer_fit(steps, EPOCHS, devices=1),
        "fit": lambda: tiny_mlp.keras_fit(steps, EPOCHS),
    }
    return _with_torch("mlp", runs, steps, rounds, batch=tiny_mlp.BATCH)


def conv(precision: str, quick: bool) -> Result:
    """Six convolutions with batch normalization."""
    steps, rounds = (2, 1) if quick else (conv_net.STEPS, 2)
    runs: Runs = {
        "Trainer": lambda: conv_net.trainer_fit(FusedBatchNormalization, precision, steps),
        "fit": lambda: conv_net.keras_fit(precision, steps),
    }
    bf16 = precision == "mixed_bfloat16"
    return _with_torch("conv", runs, steps, rounds, batch=conv_net.BATCH, bf16=bf16)


def resnet50(quick: bool) -> Result:
    """ResNet50 in bfloat16, the batch copied to the device at every step."""
    side, batch, steps = (32, 2, 2) if quick else (224, 64, 30)
    runs: Runs = {
        "Trainer": lambda: gpu_networks.trainer_fit("resnet50", side, batch, steps, EPOCHS),
        "fit": lambda: gpu_networks.keras_fit("resnet50", side, batch, steps, EPOCHS),
    }
    return _with_torch("resnet50", runs, steps, 1, batch=batch, side=side, bf16=True)


def _with_torch(network: str, runs: Runs, steps: int, rounds: int, **sizes: Any) -> Result:
    with peer() as process:
        if process is not None:
            sizes = {"network": network, "steps": steps, "epochs": EPOCHS, **sizes}
            runs["torch"] = process.contender("gpu", "loop", **sizes)
        text = "" if process is not None else "without torch (make bench-peers)"
        return compare(runs, steps, rounds, text)


def jit(quick: bool) -> Result:
    """The conv net with XLA and without."""
    side, batch, steps, rounds = (32, 4, 2, 1) if quick else (32, 128, 32, 2)

    def fit(jit_compile: bool) -> measure.Timing:
        options = {"precision": "float32", "jit_compile": jit_compile}
        return gpu_networks.trainer_fit("conv", side, batch, steps, EPOCHS, **options)

    return compare({"XLA": lambda: fit(True), "no XLA": lambda: fit(False)}, steps, rounds)


def input_(quick: bool) -> Result:
    """Whether the copy of the next batch overlaps with the step of this one."""
    side, batch, steps = (32, 4, 4) if quick else (224, 128, 30)

    def fit(resident: bool) -> float:
        options = {"precision": "float32", "resident": resident}
        timing = gpu_networks.trainer_fit("conv", side, batch, steps, EPOCHS, **options)
        return timing.epoch / steps * 1e3

    host = tf.constant(np.zeros((batch, side, side, 3), "float32"))
    copies = [_copied(host) for _ in range(5)]
    copy, alone, together = statistics.median(copies), fit(True), fit(False)
    figures = {"copy alone (ms)": copy, "step alone (ms)": alone, "both (ms)": together}
    if not gpus():
        return result("measured", "nothing is copied between devices", **figures)
    figures["share hidden"] = (copy + alone - together) / min(copy, alone)
    return result("measured", "1: the copy is hidden; 0: one after the other", **figures)


def _copied(host: tf.Tensor) -> float:
    with tf.device("CPU:0"):
        host = tf.identity(host)
    begin = time.perf_counter()
    with tf.device("GPU:0" if gpus() else "CPU:0"):
        float(tf.identity(host)[0, 0, 0, 0])  # waits
    return (time.perf_counter() - begin) * 1e3


# ---- right or wrong


def recurrent_(quick: bool) -> Result:
    """An LSTM on cuDNN: its numbers against those without, and its speed beside fit."""
    random = np.random.default_rng(0)
    x = random.normal(size=(8, recurrent.ROWS, 4)).astype("float32")
    layer = keras.layers.LSTM(recurrent.UNITS, use_cudnn=False)
    plain = np.asarray(layer(x))
    difference = None
    if gpus():
        fused = keras.layers.LSTM(recurrent.UNITS, use_cudnn=True)
        fused.build(x.shape)
        fused.set_weights(layer.get_weights())
        difference = float(np.abs(np.asarray(fused(x)) - plain).max())

    steps = 4 if quick else 60
    runs: Runs = {
        "Trainer": lambda: recurrent.trainer_fit(steps, EPOCHS, unroll=False),
        "fit": lambda: recurrent.keras_fit(steps, EPOCHS, unroll=False),
    }
    measured = compare(runs, steps, 1)
    if difference is None:
        return {**measured, "text": "cuDNN: not measured, there is no GPU"}
    verdict = "passed" if difference < 1e-2 else "failed"  # TF32 rounds to 1e-3
    figures = {**measured["figures"], "largest difference to no cuDNN": difference}
    return {**measured, "verdict": verdict, "figures": figures}


def tf32(quick: bool) -> Result:
    """What TF32 does to a float32 product, and how much faster it is."""
    size = 256 if quick else 4096
    random = np.random.default_rng(0)
    a, b = (random.normal(size=(size, size)).astype("float32") for _ in range(2))
    exact = a[:64].astype("float64") @ b.astype("float64")

    figures = {}
    for is_on in (True, False):
        tf.config.experimental.enable_tensor_float_32_execution(is_on)
        product, seconds = _product(tf.constant(a), tf.constant(b))
        error = np.linalg.norm(product[:64] - exact) / np.linalg.norm(exact)
        name = "TF32" if is_on else "float32"
        figures |= {f"{name} (ms)": seconds * 1e3, f"{name} relative error": float(error)}
    return result("measured", "the same where the GPU has no TF32", **figures)


def _product(a: tf.Tensor, b: tf.Tensor) -> tuple[np.ndarray, float]:
    first = tf.matmul(a, b).numpy()
    begin = time.perf_counter()
    for _ in range(10):
        last = tf.matmul(a, b)
    float(last[0, 0])  # waits
    return first, (time.perf_counter() - begin) / 10


def float16_jit(quick: bool) -> Result:
    """mixed_float16 with XLA: the loss falls, and updates are not skipped for ever."""
    side, batch, steps = (16, 4, 8) if quick else (32, 128, 64)
    task = Images("conv", side, batch, steps)
    trainer = Trainer(max_epochs=4, precision="mixed_float16", jit_compile=True, seed=0, **QUIET)
    trainer.fit(task)
    loss = float(trainer.callback_metrics["loss"])
    verdict = "passed" if loss < gpu_networks.CHANCE else "failed"  # of one batch, learned by heart
    return result(verdict, "a batch again and again", loss=loss, chance=gpu_networks.CHANCE)


def determinism(quick: bool) -> Result:
    """Two runs with deterministic=True and one seed: every bit of the weights."""
    side, batch, steps = (16, 4, 4) if quick else (32, 64, 50)
    digests = set()
    for _ in range(2):
        keras.utils.clear_session()
        task = Images("conv", side, batch, steps)
        Trainer(max_epochs=2, deterministic=True, seed=0, **QUIET).fit(task)
        weights = b"".join(np.asarray(v).tobytes() for v in task.model.variables)
        digests.add(hashlib.sha256(weights).hexdigest())
    verdict = "passed" if len(digests) == 1 else "failed"
    return result(
        verdict, f"{len(digests)} digest(s) of two runs: {', '.join(sorted(digests))[:40]}"
    )


def checkpoint(quick: bool) -> Result:
    """The stall of a save of 100 MB beside a plain copy to host memory."""
    with measure.trainer_folder() as folder:
        timed = checkpoint_stall.TimedCheckpoint(folder, 2 if quick else 7)
        options = {**QUIET, "enable_checkpointing": True}
        Trainer(max_steps=10_000, callbacks=[timed], **options).fit(checkpoint_stall.Heavy())
    copy, stall = (1e3 * statistics.median(each) for each in (timed.copies, timed.stalls))
    figures = {"plain copy (ms)": copy, "stall (ms)": stall, "stall to a copy": stall / copy}
    return result("measured", "", **figures)


def batch_size(quick: bool) -> Result:
    """BatchSizeFinder until a GPU's memory ends, and training behind it."""
    finder = BatchSizeFinder(init_val=2, max_val=8 if quick else 2**16, steps_per_trial=2)
    data = np.zeros((2**17 if gpus() else 64, 1), "float32")
    model = gpu_networks.hungry_model(2**4 if quick else 2**22)
    model.compile("sgd", "mse")
    task = KerasTask(model, data=(data, data), batch_size=2)
    # Compiled, what is wide would never lie in memory.
    Trainer(max_steps=3, callbacks=[finder], jit_compile=False, **QUIET).fit(task)
    figures = {"batch size": float(finder.suggestion or 0)}
    if not gpus():
        return result("not measured", "a CPU tells of no end of memory", **figures)
    has_ended = finder.suggestion is not None and finder.suggestion < 2**16
    text = "memory ended, and the fit went on" if has_ended else "memory never ended"
    return result("passed" if has_ended else "not measured", text, **figures)


def arrays(quick: bool) -> Result:
    """A user's arrays stay in host memory: the peak of the GPU's is far below their size."""
    count = 2**8 if quick else 2**18
    x, y = np.full((count, 1024), 1e-3, "float32"), np.ones((count, 1), "float32")  # 1 GiB
    model = keras.Sequential([keras.Input((1024,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    Trainer(max_steps=20, **QUIET).fit(KerasTask(model, data=(x, y), batch_size=64))
    size = x.nbytes / 2**20
    if not gpus():
        text = "a CPU tells of no peak; the fit ran"
        return result("not measured", text, **{"arrays (MiB)": size})
    peak = tf.config.experimental.get_memory_info("GPU:0")["peak"] / 2**20
    verdict = "passed" if peak < size / 2 else "failed"
    return result(verdict, **{"arrays (MiB)": size, "peak on the GPU (MiB)": peak})


def two_gpus(quick: bool) -> Result:
    """Two GPUs against one: the same weights to rounding, in true float32."""
    if 0 < len(gpus()) < 2:
        return result("not measured", "there is one GPU")
    updates = 4 if quick else 50
    weights = [gpu_networks.trained_weights(devices, updates) for devices in (2, 1)]
    difference = max(
        float(np.linalg.norm(one - other) / np.linalg.norm(one))
        for one, other in zip(*weights, strict=True)
    )
    text = "" if gpus() else "on two logical CPUs"
    figures = {"relative difference": difference, "at most": PARITY}
    return result("passed" if difference <= PARITY else "failed", text, **figures)


CHECKS: dict[str, Callable[[bool], Result]] = {
    "machine": machine,
    "tiny_mlp": tiny_mlp_,
    "conv_float32": lambda quick: conv("float32", quick),
    "conv_bfloat16": lambda quick: conv("mixed_bfloat16", quick),
    "resnet50": resnet50,
    "jit": jit,
    "input": input_,
    "recurrent": recurrent_,
    "tf32": tf32,
    "float16_jit": float16_jit,
    "determinism": determinism,
    "checkpoint": checkpoint,
    "batch_size": batch_size,
    "arrays": arrays,
    "two_gpus": two_gpus,
}


def main(name: str, quick: bool) -> Result:
    """Run one check.

    Args:
        name: One of `CHECKS`.
        quick: Tiny sizes.
    """
    return CHECKS[name](quick)
