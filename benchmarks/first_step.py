"""The time until the first step of `lightning-tf fit`, beside that of importing TensorFlow.

    python benchmarks/first_step.py [--runs 5] [--write] [--check] [--quick]

A new process each time: the command line on the digits, timed from the start of the process to the
end of the first update; beside it, in turn, a process that imports TensorFlow and Keras and does
nothing else, which the others are compared with. `lightning-tf --help`, `lightning-tf fit --help`
and an import of the package are timed too.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import measure

ROOT = Path(__file__).resolve().parent.parent
TENSORFLOW = [sys.executable, "-c", "import keras, tensorflow"]
PACKAGE = [sys.executable, "-c", "import lightning_tf"]
HELP = [sys.executable, "-m", "lightning_tf", "--help"]
FIT_HELP = [sys.executable, "-m", "lightning_tf", "fit", "--help"]
FIT = [
    *(sys.executable, "-m", "lightning_tf", "fit", "--task", "ImageClassification"),
    *("--task.data", "digits", "--trainer.max_steps", "1"),
    *("--trainer.num_sanity_val_steps", "0", "--trainer.limit_val_batches", "0"),
    *("--trainer.logger", "false", "--trainer.enable_checkpointing", "false"),
]
IMPORT, FIRST_STEP = "import tensorflow and keras", "lightning-tf fit, one update"
COMMANDS = {
    FIRST_STEP: FIT,
    IMPORT: TENSORFLOW,
    "import lightning_tf": PACKAGE,
    "lightning-tf --help": HELP,
    "lightning-tf fit --help": FIT_HELP,
}
AT_MOST = {
    FIRST_STEP: 1.5,
    "import lightning_tf": 0.05,
    "lightning-tf --help": 0.1,
    "lightning-tf fit --help": 0.1,
}


def seconds(command: list[str]) -> float:
    """Return the seconds from the start of a process to its end."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            check=True,
            capture_output=True,
        )
        return time.perf_counter() - start


def main() -> None:
    options = measure.arguments(__doc__.splitlines()[0])
    options.runs = 1 if options.quick else options.runs
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(options.runs):
        for name, command in COMMANDS.items():
            times[name].append(seconds(command))
    tensorflow = statistics.median(times[IMPORT])
    rows = [[name, f"{statistics.median(t):.2f}", f"{min(t):.2f}"] for name, t in times.items()]
    # To the import in the same run: on a slow machine all of them take longer.
    targets = [
        measure.Target(f"{name} to the import", statistics.median(times[name]) / tensorflow, bound)
        for name, bound in AT_MOST.items()
    ]
    text = "The first leaves out parts of Keras that import pandas, scikit-learn and matplotlib."
    table = measure.table(["process", "median (s)", "least (s)"], rows)
    measure.report("first_step", f"{text}\n\n{table}", targets, options)


if __name__ == "__main__":
    main()
