"""The time until the first step of `lightning-tf fit`, and the part of it that is TensorFlow's.

    python benchmarks/first_step.py [--runs 5] [--write] [--check] [--quick]

A new process each time: the command line on the digits, timed from the start of the process to the
end of the first update; beside it a process that imports TensorFlow and Keras and does nothing
else, in turn. `lightning-tf --help`, `lightning-tf fit --help` and an import of the package are
timed too.
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
    commands = {
        "lightning-tf fit, one update": FIT,
        "import tensorflow and keras": TENSORFLOW,
        "import lightning_tf": PACKAGE,
        "lightning-tf --help": HELP,
        "lightning-tf fit --help": FIT_HELP,
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(options.runs):
        for name, command in commands.items():
            times[name].append(seconds(command))
    fit, tensorflow, package, text, fit_text = (statistics.median(t) for t in times.values())
    rows = [[name, f"{statistics.median(t):.2f}", f"{min(t):.2f}"] for name, t in times.items()]
    targets = [
        measure.Target("first step beyond TensorFlow's import, s", fit - tensorflow, at_most=2.5),
        measure.Target("import lightning_tf, s", package, at_most=0.2),
        measure.Target("lightning-tf --help, s", text, at_most=1.0),
        measure.Target("lightning-tf fit --help, s", fit_text, at_most=1.0),
    ]
    share = f"The import of TensorFlow and Keras is {tensorflow / fit:.0%} of the first."
    table = measure.table(["process", "median (s)", "least (s)"], rows)
    measure.report("first_step", f"{share}\n\n{table}", targets, options)


if __name__ == "__main__":
    main()
