"""Nine networks on CIFAR-10 under one budget, then one choice after another compared.

    python scripts/cifar10_ladder.py [--steps 10000] [--only resnet "vgg, augmented" ...]

Every row trains on all 50,000 images with batches of 20 and is tested once, at the end, on the
10,000 test images. Rows go to results.jsonl as they end: a ladder that was interrupted goes on
where it stopped. At the end it prints a table and writes cifar10_ladder.md and cifar10_ladder.png.

The whole ladder takes about an hour and a half on 2 cores. The images are read from cifar10.npz
in --data-dir or $LIGHTNING_TF_DATA, or else by tensorflow-datasets.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras

from lightning_tf import Trainer
from lightning_tf.data import image_data
from lightning_tf.tasks import ImageClassification

ADAMW = {"optimizer": "adamw", "schedule": "cosine", "weight_decay": 0.01}
DEEP = {**ADAMW, "learning_rate": 3e-3, "weight_decay": 0.02}
# The comparisons start from one small network without normalisation, which would hide differences.
PLAIN = {
    "network": "lenet5",
    "optimizer": "adam",
    "learning_rate": 1e-3,
    "schedule": "cosine",
}


@dataclass(frozen=True)
class Row:
    """One training run.

    Attributes:
        name: In the table.
        options: Of ImageClassification.
        target: The test accuracy to reach, or None where rows are only compared.
        steps: How many times the budget.
        classes: Keep only these; None keeps all ten.
    """

    name: str
    options: dict[str, Any] = field(hash=False)
    target: float | None = None
    steps: int = 1
    classes: tuple[str, ...] | None = None


def network(name: str, target: float | None, **options: Any) -> Row:
    return Row(name, {"network": name, **options}, target)


def compared(name: str, **options: Any) -> Row:
    return Row(name, {**PLAIN, **options})


AUGMENTED = {**DEEP, "network": "vgg", "augmentation": ["flip", "crop"]}
ROWS = [
    Row(
        "logistic",
        {"network": "logistic", **ADAMW, "learning_rate": 1e-4},
        0.82,
        classes=("airplane", "automobile"),
    ),
    network("linear", 0.37, **ADAMW, learning_rate=3e-4),
    network("mlp", 0.50, **ADAMW, learning_rate=1e-3),
    network("convnet", 0.74, **ADAMW, learning_rate=3e-3),
    network("lenet5", None, **ADAMW, learning_rate=1e-3),
    network("vgg", 0.80, **DEEP),
    network("resnet", 0.80, **DEEP),
    network("inception", 0.80, **DEEP),
    network("mobilenet", 0.78, **DEEP),
    compared("lenet5: relu, he, adam"),
    compared("activation sigmoid", activation="sigmoid"),
    compared("activation tanh", activation="tanh"),
    compared("initializer xavier", initializer="xavier"),
    compared("initializer normal", initializer="normal"),
    compared("initializer truncated normal", initializer="truncated_normal"),
    compared("optimizer momentum", optimizer="momentum", learning_rate=1e-2),
    compared("optimizer gradient descent", optimizer="sgd", learning_rate=5e-2),
    # In four epochs and without normalisation, crops cost more than they give.
    Row(
        "vgg, augmented",
        {**AUGMENTED, "batch_norm": False, "learning_rate": 1e-3, "augmentation": ["flip"]},
    ),
    Row("vgg, normalised and augmented, 3x budget", AUGMENTED, 0.87, steps=3),
]


def run(row: Row, steps: int, data_dir: str | None, seed: int) -> dict[str, Any]:
    """Train and test one row."""
    keras.utils.clear_session()
    data = image_data(
        "cifar10",
        batch_size=20,
        val_fraction=0.0,
        data_dir=data_dir,
        classes=None if row.classes is None else list(row.classes),
    )
    task = ImageClassification(data, **row.options)
    trainer = Trainer(
        max_steps=steps * row.steps, seed=seed, logger=False, enable_checkpointing=False
    )
    began = time.perf_counter()
    trainer.fit(task)
    seconds = time.perf_counter() - began
    return {
        "name": row.name,
        "weights": task.model.count_params(),
        "steps": steps * row.steps,
        "seconds": round(seconds),
        "accuracy": round(trainer.test(task)["test_accuracy"], 4),
        "target": row.target,
    }


def markdown(results: list[dict[str, Any]]) -> str:
    """The table of all rows."""
    lines = ["| row | weights | steps | test accuracy | to reach |", "|---|" + "--:|" * 4]
    for result in results:
        target = "" if result["target"] is None else f"{result['target']:.2f}"
        lines.append(
            f"| {result['name']} | {result['weights']:,} | {result['steps']:,} | "
            f"{result['accuracy']:.4f} | {target} |"
        )
    return "\n".join(lines)


def plot(results: list[dict[str, Any]], path: Path) -> None:
    """A bar for each row, a mark at what it had to reach."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 0.4 * len(results) + 1), layout="constrained")
    axes = figure.subplots()
    places = range(len(results))
    bars = axes.barh(places, [result["accuracy"] for result in results], color="#4c78a8")
    axes.bar_label(bars, fmt="%.3f", padding=3)
    marks = [(result["target"], place) for place, result in enumerate(results) if result["target"]]
    if marks:
        axes.scatter(*zip(*marks, strict=True), marker="|", s=200, c="#e45756", label="to reach")
        axes.legend(loc="lower right")
    axes.set_yticks(places, [result["name"] for result in results])
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.set_xlabel("test accuracy")
    axes.set_title("CIFAR-10, batches of 20")
    figure.savefig(path, dpi=120)


def main() -> None:
    names = [row.name for row in ROWS]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=10_000, help="updates of a row")
    parser.add_argument("--only", nargs="+", metavar="ROW", choices=names, default=names)
    parser.add_argument("--data-dir", help="the folder of cifar10.npz")
    parser.add_argument("--output", type=Path, default=Path("runs/cifar10_ladder"))
    parser.add_argument("--fresh", action="store_true", help="forget the rows that are done")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    options.output.mkdir(parents=True, exist_ok=True)
    record = options.output / "results.jsonl"
    if options.fresh:
        record.unlink(missing_ok=True)
    lines = record.read_text().splitlines() if record.exists() else []
    done = {result["name"]: result for result in map(json.loads, lines)}
    for row in ROWS:
        budget = options.steps * row.steps
        if row.name not in options.only or done.get(row.name, {}).get("steps") == budget:
            continue
        print(f"--- {row.name}", flush=True)
        done[row.name] = run(row, options.steps, options.data_dir, options.seed)
        with record.open("a") as file:
            file.write(json.dumps(done[row.name]) + "\n")

    results = [done[name] for name in names if name in done]
    print(table := markdown(results))
    (options.output / "cifar10_ladder.md").write_text(table + "\n")
    plot(results, options.output / "cifar10_ladder.png")
    print(f"written: {options.output}/cifar10_ladder.md, cifar10_ladder.png, results.jsonl")


if __name__ == "__main__":
    main()
