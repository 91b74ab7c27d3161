"""The bytes that workers send for each update, by how gradients are reduced.

    python benchmarks/bytes_sent.py [--write]

An MLP of a million weights in float32, on 2 and 4 worker processes in a network of their own whose
loopback counts every byte (`unshare -n`, which needs root). Counted are whole epochs after the
first, without rows, validation and checkpoints, so the figure holds all that a worker sends: sums,
what workers agree on before each window, and the protocol.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import measure

UPDATES, FEATURES, UNITS = 8, 256, 864
CASES = {
    "float32": {},
    "bfloat16": {"gradient_reduction_dtype": "bfloat16"},
    "float32, 4 batches an update": {"accumulate_grad_batches": 4},
    "bfloat16, 4 batches an update": {
        "accumulate_grad_batches": 4,
        "gradient_reduction_dtype": "bfloat16",
    },
}
WORKERS = (2, 4)


def worker(file: str, arguments: dict[str, object]) -> None:
    """Train as one of several workers; the chief writes the bytes of each epoch."""
    import keras
    import numpy as np

    from lightning_tf import Callback, Trainer
    from lightning_tf.tasks import KerasTask

    counts: list[int] = []

    class Counts(Callback):
        def on_train_epoch_start(self, trainer: Trainer, task: object) -> None:
            counts.append(loopback_bytes())

    layers = [keras.layers.Dense(UNITS, "relu"), keras.layers.Dense(UNITS), keras.layers.Dense(10)]
    batches = UPDATES * int(arguments.get("accumulate_grad_batches", 1))
    data = np.zeros((8 * batches, FEATURES), "float32"), np.zeros(8 * batches, "int64")
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=5,
        seed=0,
        logger=False,
        callbacks=[Counts()],
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        log_every_n_steps=0,
        **arguments,
    )
    model = keras.Sequential([keras.Input((FEATURES,)), *layers])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    trainer.fit(KerasTask(model, loss, "sgd", data=data, batch_size=8))
    if trainer.is_global_zero:
        epochs = [after - before for before, after in itertools.pairwise(counts[1:])]
        Path(file).write_text(json.dumps([model.count_params(), *epochs]))


def loopback_bytes() -> int:
    """Return what the loopback of this network has received."""
    lines = Path("/proc/net/dev").read_text().splitlines()
    return int(next(line for line in lines if "lo:" in line).split()[1])


def bytes_per_weight(workers: int, arguments: dict[str, object]) -> float:
    """Return the bytes that each worker sends for a weight and an update."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "bytes.json"
        program = [sys.executable, __file__, "--worker", str(file), json.dumps(arguments)]
        launch = [sys.executable, "-m", "lightning_tf", "launch", "--workers", str(workers), "--"]
        inside = 'ip link set lo up && exec "$@"'
        subprocess.run(
            ["unshare", "-n", "sh", "-c", inside, "sh", *launch, *program[1:]],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        weights, *epochs = json.loads(file.read_text())
    return sorted(epochs)[len(epochs) // 2] / UPDATES / weights / workers


def main() -> None:
    options = measure.arguments(__doc__.splitlines()[0], runs=1)
    counted = {
        name: [bytes_per_weight(workers, arguments) for workers in WORKERS]
        for name, arguments in CASES.items()
    }
    rows = [[name, *(f"{each:.2f}" for each in counts)] for name, counts in counted.items()]
    header = ["bytes a weight, an update and a worker", *(f"{n} workers" for n in WORKERS)]
    targets = [
        measure.Target(
            f"{name} to float32, {workers} workers",
            counted[name][i] / counted["float32"][i],
            at_most=at_most,
            is_time=False,
        )
        for name, at_most in (("bfloat16", 0.55), ("float32, 4 batches an update", 1.05))
        for i, workers in enumerate(WORKERS)
    ]
    measure.report("bytes_sent", measure.table(header, rows), targets, options)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        worker(sys.argv[2], json.loads(sys.argv[3]))
    else:
        main()
