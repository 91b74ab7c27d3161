"""Search for hyperparameters with Optuna; trials that fall behind end early (Hyperband).

    python scripts/tune.py
    python scripts/tune.py --data mnist5k --network resnet --trials 50 --epochs 27

Needs pip install 'lightning-tf[tune]'. Each trial trains ImageClassification with its own learning
rate, weight decay and label smoothing; the first line takes some minutes on 2 cores. The same with
Weights & Biases: wandb sweep scripts/sweep.yaml, then the command that it prints.
"""

from __future__ import annotations

import argparse

import optuna

from lightning_tf import Trainer
from lightning_tf.callbacks import OptunaPruning
from lightning_tf.tasks import ImageClassification


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="digits")
    parser.add_argument("--network", default="mlp")
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=9, help="of a trial that is not pruned")
    parser.add_argument("--storage", help="such as sqlite:///study.db, to share or resume a study")
    parser.add_argument("--output", default=".", help="runs/ is made in this folder")
    options = parser.parse_args()

    def objective(trial: optuna.Trial) -> float:
        task = ImageClassification(
            options.data,
            network=options.network,
            optimizer="adamw",
            learning_rate=trial.suggest_float("learning_rate", 1e-4, 1e-1, log=True),
            weight_decay=trial.suggest_float("weight_decay", 1e-5, 1e-1, log=True),
            label_smoothing=trial.suggest_float("label_smoothing", 0.0, 0.2),
        )
        pruning = OptunaPruning(trial, "val_accuracy")
        trainer = Trainer(
            max_epochs=options.epochs,
            callbacks=[pruning],
            default_root_dir=options.output,
            seed=0,
            enable_progress_bar=False,
            enable_model_summary=False,
        )

        trainer.fit(task)
        pruning.check_pruned()
        return trainer.callback_metrics["val_accuracy"]

    study = optuna.create_study(
        study_name="lightning_tf",
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=0),
        pruner=optuna.pruners.HyperbandPruner(max_resource=options.epochs),
        storage=options.storage,
        load_if_exists=True,
    )
    study.optimize(objective, n_trials=options.trials)

    states = [trial.state.name for trial in study.trials]
    print(f"{len(states)} trials, {states.count('PRUNED')} of them ended early")
    print(f"val_accuracy {study.best_value:.4f} with {study.best_params}")


if __name__ == "__main__":
    main()
