"""Where the CPU time of a step goes, by kernel, beside its convolutions and matrix products alone.

    python benchmarks/step_profile.py [--runs 5] [--only conv_net ...] [--write] [--check] [--quick]

The steps of the jobs `augmented_images`, `transfer` (its head; then the upper 30 layers too), `gan`
and `forecast`, on random data of their shapes, each in a process of its own
(`step_profile_run.py`) whose TensorFlow has one thread: there a kernel's time is CPU time, but for
what other processes take, so that a kernel counts with the fastest of its runs in a trace. The
floor of a step is the time of its convolutions and matrix products, with the gradients that it
asks for, as raw operations on tensors of their shapes that are there already.

"memory kept" is the step with TF_CPU_ALLOCATOR_USE_BFC=true: otherwise tensors of more than 32 MiB
are mapped and cleared by the system at every step. Its runs take turns with the others.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import measure

PROGRAM = Path(__file__).with_name("step_profile_run.py")
STEPS = {"conv_net": 10, "head": 6, "fine_tuning": 6, "gan": 20, "gru": 20}
KEPT, GIVEN_BACK = "true", "false"
LARGE = {"head"}  # with tensors of more than 32 MiB

# What a kernel's name begins with; the first that fits.
KINDS = {
    "Conv2DBackprop": "products' gradients",
    "_FusedConv2D": "products",
    "Conv2D": "products",
    "MatMul": "products",
    "_FusedMatMul": "products",
    "DepthwiseConv2dNativeBackprop": "products' gradients",
    "DepthwiseConv2dNative": "products",
    "FusedBatchNorm": "normalization",
    "MaxPool": "pooling",
    "Pad": "padding",
    "Relu": "activations",
    "LeakyRelu": "activations",
    "Sigmoid": "activations",
    "Tanh": "activations",
    "StatelessRandom": "random numbers",
    "StridedSlice": "slices, lists, sums",
    "Split": "slices, lists, sums",
    "Concat": "slices, lists, sums",
    "AddN": "slices, lists, sums",
    "TensorList": "slices, lists, sums",
    "BiasAddGrad": "slices, lists, sums",
    "Assign": "assignments",
    "Cast": "casts",
}


def kind_of(kernel: str) -> str:
    """Return the kind of a kernel."""
    return next((kind for start, kind in KINDS.items() if kernel.startswith(start)), "rest")


def run(name: str, steps: int, memory: str) -> dict[str, Any]:
    """Run a step in a new process and return its milliseconds."""
    command = [sys.executable, str(PROGRAM), name, str(steps)]
    environment = {**os.environ, "TF_CPU_ALLOCATOR_USE_BFC": memory}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stderr}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def shares(answers: list[dict[str, Any]]) -> str:
    """Return the kinds that take 1 % or more of the kernels' time, the largest first."""
    kinds: Counter[str] = Counter()
    for kernel in {kernel for answer in answers for kernel in answer["kernels"]}:
        times = [answer["kernels"].get(kernel, 0.0) for answer in answers]
        kinds[kind_of(kernel)] += statistics.median(times)
    whole = sum(kinds.values())
    return ", ".join(
        f"{kind} {ms / whole:.0%}" for kind, ms in kinds.most_common() if ms > whole / 100
    )


def median(answers: list[dict[str, Any]], key: str) -> float:
    """Return the median over runs."""
    return statistics.median(answer[key] for answer in answers)


def main() -> None:
    options = measure.arguments(__doc__.splitlines()[0], only=list(STEPS))
    if options.quick:
        options.runs = 1
    rows, targets = [], []
    for name in options.only:
        steps = STEPS[name] // (2 if options.quick else 1)
        rounds: dict[str, list[dict[str, Any]]] = {KEPT: [], GIVEN_BACK: []}
        for turn in range(options.runs):
            for memory in list(rounds) if turn % 2 else reversed(list(rounds)):
                rounds[memory].append(run(name, steps, memory))
        kept, given_back = rounds[KEPT], rounds[GIVEN_BACK]
        gains = [a["cpu"] / b["cpu"] for a, b in zip(kept, given_back, strict=True)]
        cpu, bare = median(given_back, "cpu"), median(given_back, "floor")
        rows.append(
            [
                name,
                f"{cpu:.1f}",
                f"{median(given_back, 'system'):.1f}",
                f"{bare / cpu:.2f}",
                shares(given_back),
                f"{median(kept, 'cpu'):.1f}",
                f"{statistics.median(gains):.2f}",
            ]
        )
        if name in LARGE:
            what = f"CPU of {name} with memory kept to given back"
            targets.append(measure.Target(what, statistics.median(gains), at_most=0.9))
    header = ["step", "CPU ms", "of it system", "floor to step", "kernels", "memory kept, CPU ms"]
    table = measure.table([*header, "to given back"], rows)
    measure.report("step_profile", f"One thread.\n\n{table}", targets, options)


if __name__ == "__main__":
    main()
