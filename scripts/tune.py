"""Search for hyperparameters with Optuna; trials that fall behind end early (Hyperband).

    python scripts/tune.py
    python scripts/tune.py --data mnist5k --network resnet --trials 50 --epochs 27

Needs pip install 'lightning-tf[tune]'. Each trial trains ImageClassification with its own learning
rate, weight decay and label smoothing; the first line takes some minutes on 2 cores. Without a
script: lightning-tf tune (docs/command_line.md). With Weights & Biases: wandb sweep
scripts/sweep.yaml, then the command that it prints.
"""

from __future__ import annotations

import argparse
from typing import Any

from lightning_tf import HyperparameterSearch, Trainer
from lightning_tf.tasks import ImageClassification

SEARCH = {
    "learning_rate": "0.0001..0.1 log",
    "weight_decay": "0.00001..0.1 log",
    "label_smoothing": "0.0..0.2",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="digits")
    parser.add_argument("--network", default="mlp")
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=9, help="of a trial that is not pruned")
    parser.add_argument("--storage", help="such as sqlite:///study.db, to share or resume a search")
    parser.add_argument("--output", help="the folder; tune_0, tune_1, ... by default")
    options = parser.parse_args()

    def make(values: dict[str, Any], folder: str) -> tuple[Trainer, ImageClassification]:
        trainer = Trainer(
            max_epochs=options.epochs,
            default_root_dir=folder,
            seed=0,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        task = ImageClassification(
            options.data, network=options.network, optimizer="adamw", **values
        )
        return trainer, task

    search = HyperparameterSearch(
        SEARCH,
        monitor="val_accuracy",
        mode="max",
        method="hyperband",
        storage=options.storage,
        output=options.output,
    )
    print(search.run(make, options.trials))


if __name__ == "__main__":
    main()
