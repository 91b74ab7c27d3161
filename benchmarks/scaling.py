"""The time of a step on several replicas: the Trainer and a bare tf.distribute loop.

    python benchmarks/scaling.py [--runs 5] [--write] [--check]

Three networks with Adam, cross-entropy and accuracy: a tiny MLP, whose step is mostly overhead; a
deep MLP with 34 small variables, each with a gradient to sum; a conv net that mostly computes. The
global batch is the same on 1, 2 and 4 logical devices of one CPU, and on 1 and 2 worker processes
on loopback; "1 worker" is the chief of the pair without a strategy, while the other one waits. The
bare loop is one tf.function for an epoch around `strategy.run`, whose data sets give each replica
its own batches.

All replicas share the cores of one machine, so replicas can only gain what one device leaves idle:
this measures the cost of replicas under the Trainer, beside the least that TensorFlow takes. The
contenders of each part run in one process, an epoch of each in turn, and a ratio is the median over
rounds; a step's time is that of an epoch divided by its steps. The first epoch, which traces, is
left out.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from pathlib import Path

import measure
import scaling_contenders
from scaling_contenders import PROBLEMS

from lightning_tf import Trainer
from lightning_tf.cli.launcher import Launcher

DEVICES = (1, 2, 4)
WORKERS = 2
AT_MOST = 1.3
Epochs = dict[str, list[float]]


def on_devices(runs: int) -> Epochs:
    """Return the seconds of every epoch, by network, number of devices and contender."""
    contenders: dict[str, scaling_contenders.Contender] = {}
    for name, problem in PROBLEMS.items():
        for count in DEVICES:
            fit = scaling_contenders.TrainerFit(problem, runs + 1, count)
            contenders[f"{name}|{count}|Trainer"] = fit
            # The strategy of the Trainer, where it has one: the sums are the same ones.
            strategy = getattr(fit.trainer.placement, "strategy", None)
            bare = scaling_contenders.BareLoop(problem, strategy)
            contenders[f"{name}|{count}|bare loop"] = bare
    return scaling_contenders.alternate(contenders, runs)


def on_workers(runs: int) -> Epochs:
    """Return the same of a pair of worker processes."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "epochs.json"
        program = [sys.executable, scaling_contenders.__file__, str(file), "--runs", str(runs)]
        code = Launcher(program, WORKERS).run()
        if code:
            raise SystemExit(f"a worker ended with exit code {code}")
        return json.loads(file.read_text())


def rows_of(epochs: Epochs, what: str) -> tuple[list[list[str]], dict[str, float]]:
    """Return the rows of a table, and the Trainer's time to the bare loop's by row."""
    rows, ratios = [], {}
    counts = sorted({int(key.split("|")[1]) for key in epochs})
    for name, problem in PROBLEMS.items():
        for count in counts:
            ours, bare = (epochs[f"{name}|{count}|{kind}"] for kind in ("Trainer", "bare loop"))
            first = [epochs[f"{name}|{counts[0]}|{kind}"] for kind in ("Trainer", "bare loop")]
            where = f"{name}, {count} {what}{'s' if count > 1 else ''}"
            to_bare = [a / b for a, b in zip(ours, bare, strict=True)]
            ratios[where] = statistics.median(to_bare)
            to_one = [_median_ratio(*pair) for pair in zip((ours, bare), first, strict=True)]
            medians = [statistics.median(times) / problem.steps * 1e6 for times in (ours, bare)]
            spread = f"{min(to_bare):.2f} to {max(to_bare):.2f}"
            cells = [f"{ratios[where]:.2f}", spread, *(f"{ratio:.2f}" for ratio in to_one)]
            rows.append([where, *(f"{median:.0f}" for median in medians), *cells])
    return rows, ratios


def _median_ratio(times: list[float], to: list[float]) -> float:
    return statistics.median(a / b for a, b in zip(times, to, strict=True))


def main() -> None:
    options = measure.arguments(__doc__.splitlines()[0], runs=9)
    workers, worker_ratios = rows_of(on_workers(options.runs), "worker")
    Trainer(max_steps=1, accelerator="cpu", devices=max(DEVICES), logger=False)
    devices, ratios = rows_of(on_devices(options.runs), "device")
    header = ["", "Trainer (us a step)", "bare loop (us)", "Trainer to bare loop", "spread"]
    header += ["Trainer, to 1", "bare loop, to 1"]
    text = measure.table(header, [*devices, *workers])
    targets = [
        measure.Target(f"{where}: Trainer to the bare loop", ratio, at_most=AT_MOST)
        for where, ratio in {**ratios, **worker_ratios}.items()
    ]
    measure.report("scaling", text, targets, options)


if __name__ == "__main__":
    main()
