"""What to run first on a machine with a GPU: under ten minutes, each check a child with a limit.

    python benchmarks/gpu.py [--quick] [--only NAME ...] [--json FILE] [--budget 600]

Speeds of the Trainer beside `keras.Model.fit` and, where `make bench-peers` has installed it, a
plain torch loop; XLA on and off, the copy of a batch to the GPU, an LSTM on cuDNN, TF32, float16
with XLA, two runs bit for bit, the stall of a checkpoint, BatchSizeFinder behind a real end of
memory, a user's arrays, and two GPUs against one. `gpu_checks.py` has the checks.

Where TensorFlow sees no GPU this is a dry run on the CPU, and says so: `--quick` keeps it small.
The exit code is 1 where a check failed, crashed or did not end in time.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from lightning_tf.doctor.child import run_child
from lightning_tf.doctor.driver import read_driver
from lightning_tf.exceptions import nearest

# Seconds: of a cold start, tracing, XLA and the runs. Together more than the budget, which counts.
LIMITS = {
    "tiny_mlp": 90,
    "conv_float32": 100,
    "conv_bfloat16": 100,
    "resnet50": 150,
    "jit": 120,
    "input": 60,
    "recurrent": 90,
    "tf32": 45,
    "float16_jit": 90,
    "determinism": 60,
    "checkpoint": 60,
    "batch_size": 90,
    "arrays": 60,
    "two_gpus": 90,
}
BUDGET = 600.0
ON_A_CPU = 3.0  # times the limits, which are of a machine with a GPU
FAILED = ("failed", "crashed")
DRY = "NO GPU: a dry run on the CPU. Nothing below was measured on a GPU."


def run_check(name: str, seconds: float, quick: bool) -> dict[str, Any]:
    """Run a check in a process of its own.

    Args:
        name: One of `LIMITS`.
        seconds: After which it is killed.
        quick: Tiny sizes.
    """
    begin = time.monotonic()
    answer = run_child("gpu_checks", seconds, {"name": name, "quick": quick})
    result = answer.value or {"verdict": "crashed", "text": answer.trouble, "figures": {}}
    if answer.trouble:
        result["said"] = answer.said[-2000:]
    return {"check": name, **result, "seconds": round(time.monotonic() - begin, 1)}


def run_all(names: list[str], quick: bool, budget: float, patience: float) -> list[dict[str, Any]]:
    """Run checks in turn while the budget lasts, and print each as soon as it ends.

    Args:
        names: Of `LIMITS`.
        quick: Tiny sizes.
        budget: Seconds.
        patience: Times the limits.
    """
    end = time.monotonic() + budget
    results = []
    for name in names:
        left = end - time.monotonic()
        if left < 1:
            result = {"check": name, "verdict": "not run", "text": "no time left", "figures": {}}
        else:
            result = run_check(name, min(patience * LIMITS[name], left), quick)
        results.append(result)
        print(row(result), flush=True)
    return results


def row(result: dict[str, Any]) -> str:
    """Return a result as a row of the table."""
    figures = "; ".join(f"{name} {value:.4g}" for name, value in result["figures"].items())
    cells = [result["check"], result["verdict"], figures, result["text"]]
    return "| " + " | ".join([*cells, f"{result.get('seconds', 0):.0f}"]) + " |"


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="tiny sizes, for a dry run")
    parser.add_argument("--only", nargs="+", metavar="NAME", help=", ".join(LIMITS))
    parser.add_argument("--json", metavar="FILE", help="write the results there as well")
    parser.add_argument("--budget", type=float, default=BUDGET, help="seconds, %(default)s")
    options = parser.parse_args()
    for name in options.only or ():
        if name not in LIMITS:
            parser.error(f"--only {name}.{nearest(name, LIMITS)}")

    about = run_child("gpu_checks", 120, {"name": "machine", "quick": options.quick})
    if about.trouble:
        print(f"TensorFlow {about.trouble}; lightning-tf doctor tells more.", file=sys.stderr)
        return 1
    is_gpu, driver = bool(about.value["gpus"]), read_driver()
    answer = {**about.value, "driver": driver.version, "cards": [c.name for c in driver.cards]}
    print(f"{answer['machine']}; GPUs: {', '.join(answer['gpus']) or 'none'} {answer['driver']}")
    print("" if is_gpu else f"\n{DRY}\n")

    print("| check | verdict | figures | text | seconds |\n| --- | --- | --- | --- | --- |")
    names, patience = options.only or list(LIMITS), 1.0 if is_gpu else ON_A_CPU
    results = run_all(names, options.quick, options.budget, patience)
    if not is_gpu:
        print(f"\n{DRY}")
    if options.json:
        whole = {"about": answer, "measured_on_gpu": is_gpu, "quick": options.quick}
        Path(options.json).write_text(json.dumps({**whole, "results": results}, indent=2))
    return int(any(result["verdict"] in FAILED for result in results))


if __name__ == "__main__":
    sys.exit(main())
