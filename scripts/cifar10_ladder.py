"""Compare nine networks, and single choices in one of them, on CIFAR-10 under one budget.

    python scripts/cifar10_ladder.py [--steps 10000] [--only resnet "vgg, augmented" ...]

Every row trains on all 50,000 images with batches of 20 and is tested once, at the end, on the
10,000 test images. Each finished row is written to results.jsonl, so an interrupted ladder goes on
where it stopped. At the end it prints a table and writes cifar10_ladder.md and cifar10_ladder.png.

The whole ladder takes about an hour and a half on 2 cores. The images are read from cifar10.npz
in --data-dir or $LIGHTNING_TF_DATA, or else by tensorflow-datasets.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from lightning_tf import Trainer
from lightning_tf.data import image_data
from lightning_tf.tasks import ImageClassification


@dataclass(frozen=True)
class Row:
    """One training run: an ImageClassification and what is expected of it.

    The defaults are the network that all comparisons start from: small and without normalization,
    which would hide differences.

    Attributes:
        name: In the table.
        target: The test accuracy to reach, or None where rows are only compared.
        budget: How many times the steps of a row.
        classes: Train on these alone; None takes all ten.
    """

    name: str
    network: str = "lenet5"
    optimizer: str = "adam"
    learning_rate: float = 1e-3
    weight_decay: float | None = None
    activation: str = "relu"
    initializer: str = "he_normal"
    batch_norm: bool | None = None
    augmentation: tuple[str, ...] | None = None
    target: float | None = None
    budget: int = 1
    classes: tuple[str, ...] | None = None


def network_row(
    name: str, learning_rate: float, target: float | None, weight_decay: float = 0.01
) -> Row:
    """Return the row of a named network, trained with AdamW."""
    return Row(
        name,
        network=name,
        optimizer="adamw",
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        target=target,
    )


ROWS = [
    Row(
        "logistic",
        network="logistic",
        optimizer="adamw",
        learning_rate=1e-4,
        weight_decay=0.01,
        target=0.82,
        classes=("airplane", "automobile"),
    ),
    network_row("linear", 3e-4, target=0.37),
    network_row("mlp", 1e-3, target=0.50),
    network_row("convnet", 3e-3, target=0.74),
    network_row("lenet5", 1e-3, target=None),
    network_row("vgg", 3e-3, target=0.80, weight_decay=0.02),
    network_row("resnet", 3e-3, target=0.80, weight_decay=0.02),
    network_row("inception", 3e-3, target=0.80, weight_decay=0.02),
    network_row("mobilenet", 3e-3, target=0.78, weight_decay=0.02),
    Row("lenet5: relu, he, adam"),
    Row("activation sigmoid", activation="sigmoid"),
    Row("activation tanh", activation="tanh"),
    Row("initializer xavier", initializer="xavier"),
    Row("initializer normal", initializer="normal"),
    Row("initializer truncated normal", initializer="truncated_normal"),
    Row("optimizer momentum", optimizer="momentum", learning_rate=1e-2),
    Row("optimizer gradient descent", optimizer="sgd", learning_rate=5e-2),
    Row(
        "vgg, augmented",
        network="vgg",
        optimizer="adamw",
        learning_rate=1e-3,
        weight_decay=0.02,
        batch_norm=False,
        # In four epochs and without normalization, crops cost more than they give.
        augmentation=("flip",),
    ),
    Row(
        "vgg, normalised and augmented, 3x budget",
        network="vgg",
        optimizer="adamw",
        learning_rate=3e-3,
        weight_decay=0.02,
        augmentation=("flip", "crop"),
        target=0.87,
        budget=3,
    ),
]


def make_task(row: Row, data: Any) -> ImageClassification:
    """Return the task of a row on some data."""
    return ImageClassification(
        data,
        network=row.network,
        activation=row.activation,
        initializer=row.initializer,
        batch_norm=row.batch_norm,
        optimizer=row.optimizer,
        learning_rate=row.learning_rate,
        schedule="cosine",
        weight_decay=row.weight_decay,
        augmentation=None if row.augmentation is None else list(row.augmentation),
    )


def train_and_test(row: Row, steps: int, data_dir: str | None, seed: int) -> dict[str, Any]:
    """Train a row for its budget and return its line of results.jsonl."""
    keras.utils.clear_session()
    data = image_data(
        "cifar10",
        batch_size=20,
        val_fraction=0.0,
        data_dir=data_dir,
        classes=None if row.classes is None else list(row.classes),
    )
    task = make_task(row, data)
    trainer = Trainer(
        max_steps=steps * row.budget, logger=False, enable_checkpointing=False, seed=seed
    )

    start = time.perf_counter()
    trainer.fit(task)
    seconds = time.perf_counter() - start

    return {
        "name": row.name,
        "weights": task.model.count_params(),
        "steps": steps * row.budget,
        "seconds": round(seconds),
        "accuracy": round(trainer.test(task)["test_accuracy"], 4),
        "target": row.target,
    }


def markdown(results: list[dict[str, Any]]) -> str:
    """Return the table of all rows."""
    lines = ["| row | weights | steps | test accuracy | to reach |", "|---|" + "--:|" * 4]
    for result in results:
        target = "" if result["target"] is None else f"{result['target']:.2f}"
        lines.append(
            f"| {result['name']} | {result['weights']:,} | {result['steps']:,} | "
            f"{result['accuracy']:.4f} | {target} |"
        )
    return "\n".join(lines)


def plot(results: list[dict[str, Any]], path: Path) -> None:
    """Draw a bar for each row and a mark at the accuracy that it had to reach."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 0.4 * len(results) + 1), layout="constrained")
    axes = figure.subplots()
    positions = range(len(results))
    bars = axes.barh(positions, [result["accuracy"] for result in results], color="#4c78a8")
    axes.bar_label(bars, fmt="%.3f", padding=3)
    marks = [(result["target"], i) for i, result in enumerate(results) if result["target"]]
    if marks:
        axes.scatter(*zip(*marks, strict=True), marker="|", s=200, c="#e45756", label="to reach")
        axes.legend(loc="lower right")
    axes.set_yticks(positions, [result["name"] for result in results])
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
    parser.add_argument("--fresh", action="store_true", help="run every row again")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    options.output.mkdir(parents=True, exist_ok=True)
    results_file = options.output / "results.jsonl"
    if options.fresh:
        results_file.unlink(missing_ok=True)
    lines = results_file.read_text().splitlines() if results_file.exists() else []
    by_name = {result["name"]: result for result in map(json.loads, lines)}

    for row in ROWS:
        is_done = by_name.get(row.name, {}).get("steps") == options.steps * row.budget
        if row.name not in options.only or is_done:
            continue
        print(f"--- {row.name}", flush=True)
        by_name[row.name] = train_and_test(row, options.steps, options.data_dir, options.seed)
        with results_file.open("a") as file:  # at once: an interrupted ladder loses one row
            file.write(json.dumps(by_name[row.name]) + "\n")

    results = [by_name[name] for name in names if name in by_name]
    print(table := markdown(results))
    (options.output / "cifar10_ladder.md").write_text(table + "\n")
    plot(results, options.output / "cifar10_ladder.png")
    print(f"written: {options.output}/cifar10_ladder.md, cifar10_ladder.png, results.jsonl")


if __name__ == "__main__":
    main()
