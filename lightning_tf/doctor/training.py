"""Some seconds of training, on a GPU where TensorFlow sees one."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any

from lightning_tf.doctor.finding import Finding, ok, problem, warning

OF_CLUSTERS = ("TF_CONFIG", "SLURM_")  # this process trains alone, whatever they say
FEATURES, UNITS, CLASSES, BATCH = 32, 256, 10, 128
CHANCE = 2.302585  # the loss of ten classes that nobody can tell apart
SLOW_FIRST = 120.0  # seconds to the first update, of tracing and what is compiled


def alone(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without what tells of other workers."""
    return {name: value for name, value in environment.items() if not name.startswith(OF_CLUSTERS)}


def main(seconds: float) -> dict[str, Any]:
    """Train a small network on data that can be learned, and return how fast and how well."""
    import time

    import keras
    import numpy as np

    from lightning_tf import Callback, Trainer
    from lightning_tf.tasks import KerasTask

    random = np.random.default_rng(0)
    x = random.normal(size=(256 * BATCH, FEATURES)).astype("float32")
    y = (x @ random.normal(size=(FEATURES, CLASSES))).argmax(-1)
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((FEATURES,)),
            keras.layers.Dense(UNITS, activation="relu"),
            keras.layers.Dense(CLASSES),
        ]
    )
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))

    class Clock(Callback):
        """The time and the update of the ends of windows."""

        logs_metrics = False
        marks: list[tuple[float, int]] = []  # noqa: RUF012 - there is one

        def on_train_window_end(self, trainer: Trainer, task: Any) -> None:
            self.marks.append((time.perf_counter(), trainer.global_step))

    begin = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            max_epochs=-1, max_time={"seconds": seconds}, devices=1, default_root_dir=folder,
            logger=False, enable_checkpointing=False, enable_progress_bar=False,
            enable_model_summary=False, callbacks=[Clock()],
        )  # fmt: skip
        trainer.fit(KerasTask(model, data=(x, y), batch_size=BATCH))

    (first, done), (last, steps) = Clock.marks[0], Clock.marks[-1]
    loss = float(keras.ops.mean(model.loss(y[:4096], model(x[:4096]))))
    return {
        "device": str(model.trainable_variables[0].value.device).rpartition("device:")[2],
        "steps": steps,
        "first_seconds": first - begin,
        "steps_per_second": (steps - done) / (last - first) if steps > done else 0.0,
        "loss": loss,
    }


def check_training(
    result: Mapping[str, Any], trouble: str, gpus: int, words: str = ""
) -> Iterator[Finding]:
    """Yield how training went.

    Args:
        result: Of `main`.
        trouble: How it failed; empty where it did not.
        gpus: That TensorFlow sees.
        words: TensorFlow's own about GPUs.
    """
    if trouble:
        remedy = "its last lines name the cause; CUDA_VISIBLE_DEVICES=-1 tries it on the CPU"
        yield problem("training", f"{trouble} {words}".strip(), remedy)
        return

    speed = f"{result['steps_per_second']:,.0f} updates/s"
    text = (
        f"{result['steps']:,} updates of a small network on {result['device']}, {speed}, the first "
        f"after {result['first_seconds']:.1f} s; loss {result['loss']:.3f}, {CHANCE:.2f} before"
    )
    if not result["loss"] < CHANCE / 2:  # also not a number
        yield problem(
            "training", text, "it did not learn: report it with lightning-tf doctor --json"
        )
    elif gpus and not result["device"].startswith("GPU"):
        yield problem("training", text, "TensorFlow sees a GPU, the Trainer took none: report it")
    elif result["first_seconds"] > SLOW_FIRST:
        yield warning("training", text, f"what was compiled is kept for the next run. {words}")
    else:
        yield ok("training", text)


def environment_of_training() -> dict[str, str]:
    """Return this process's environment, for one that trains alone."""
    return alone(os.environ)
