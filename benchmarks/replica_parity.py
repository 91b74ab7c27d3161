"""The difference of weights and metrics between one device and several replicas.

    python benchmarks/replica_parity.py [--write] [--check] [--only TEXT] [--updates 50]

Three tasks: ImageClassification on the digits with synchronized batch normalization and a smaller
last batch; a generator and a discriminator with an optimizer each; a GRU on sequences. Each is
trained with SGD with momentum and with AdamW, clipped by norm and by value, with 1 and with 3
batches an update. Every case runs for the same number of updates on one CPU, on logical CPUs and on
two worker processes on loopback, and is then validated.

The difference of two arrays is the norm of their difference over the norm of the first. That norm
counts as at least 0.001 for each element, an update of AdamW, because a bias that passes through
zero has no digits of its own. A case shows the largest difference of all its arrays.

Both runs compute in float32, where a sum over parts rounds differently from a sum over the whole.
The column "reordered" shows the effect of that alone: one device, with the examples of every batch
in reverse order. It explains the rows of the net with relu and max pooling, which have no target:
where an activation lies at a kink, the last bit decides the gradient and everything after it.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import measure
import numpy as np
import parity_cases
from parity_cases import CASES, TASKS, Arrays, Reversed

from lightning_tf import Trainer
from lightning_tf.cli.launcher import Launcher

TOLERANCE = 1e-5
SMALLEST = 1e-3
REPLICAS = (2, 4)
WORKERS = 2


def largest_difference(one: Arrays, other: Arrays) -> float:
    """Return the largest relative difference of all arrays."""
    if set(one) != set(other):
        raise SystemExit(f"not the same names: {sorted(set(one) ^ set(other))}")
    return max(
        float(np.linalg.norm(one[name] - other[name]) / _size(one[name]))
        for name in one
        if np.issubdtype(one[name].dtype, np.floating) and one[name].size
    )


def _size(array: np.ndarray) -> float:
    return float(max(np.linalg.norm(array), SMALLEST * np.sqrt(array.size)))


def on_workers(folder: Path, updates: int, only: str) -> None:
    """Run the cases on workers, one pair of processes for all of them."""
    program = [sys.executable, parity_cases.__file__, str(folder)]
    arguments = ["--updates", str(updates), "--only", only]
    code = Launcher([*program, *arguments], WORKERS).run()
    if code:
        raise SystemExit(f"a worker ended with exit code {code}")


def differences(one: tuple[Arrays, Arrays], other: tuple[Arrays, Arrays]) -> list[float]:
    """Return the largest difference of the weights and that of the metrics."""
    return [largest_difference(a, b) for a, b in zip(one, other, strict=True)]


def compare(folder: Path, updates: int, only: str) -> tuple[list[list[str]], float]:
    """Return the rows of the table, and the largest difference that has a target."""
    rows, worst = [], 0.0
    for number, case in enumerate(CASES):
        if only not in str(case):
            continue
        start = time.perf_counter()
        one = case.run(updates, 1)
        pairs = [differences(one, case.run(updates, count)) for count in REPLICAS]
        workers = parity_cases.outcomes_of(folder, number)
        if len(workers) != WORKERS:
            raise SystemExit(f"{case}: {len(workers)} of {WORKERS} workers wrote a result")
        # Of all workers, the largest differences.
        pairs.append(list(map(max, *(differences(one, worker) for worker in workers))))
        if case.task in TASKS:
            worst = max(worst, *(max(pair) for pair in pairs))
        pairs.append(differences(one, case.run(updates, 1, Reversed)))
        rows.append([str(case), *(f"{value:.1e}" for pair in pairs for value in pair)])
        print(*rows[-1], f"({time.perf_counter() - start:.0f} s)", sep="  ", flush=True)
    return rows, worst


def main() -> None:
    parser = parity_cases.arguments(__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="put the result into RESULTS.md")
    parser.add_argument("--check", action="store_true", help="fail where a target is missed")
    options = parser.parse_args()
    options.runs = 1
    with tempfile.TemporaryDirectory() as folder:
        on_workers(Path(folder), options.updates, options.only)  # before this process computes
        Trainer(max_steps=1, accelerator="cpu", devices=max(REPLICAS), logger=False)
        rows, worst = compare(Path(folder), options.updates, options.only)
    what = [*(f"{count} replicas" for count in REPLICAS), f"{WORKERS} workers", "reordered"]
    header = ["case", *(f"{name}, {of}" for name in what for of in ("weights", "metrics"))]
    target = measure.Target("largest difference over 1e-5", worst / TOLERANCE, at_most=1.0)
    text = f"After {options.updates} updates.\n\n{measure.table(header, rows)}"
    measure.report("replica_parity", text, [target], options)


if __name__ == "__main__":
    main()
