"""hyperparameter_search: a grid, random draws and Hyperband, for about the same epochs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning_tf import HyperparameterSearch, Trainer
from lightning_tf.gallery.common.quiet_trainer import quiet_trainer
from lightning_tf.tasks import ImageClassification

EPOCHS = 9
SEARCH = {
    "learning_rate": "0.0001..1.0 log 3 points",
    "dropout": "0.0..0.6 2 points",
    "activation": ["relu", "tanh"],
}
TRIALS = {"grid": 12, "random": 12, "hyperband": 21}  # for about as many epochs
BATCH = 128


def run(folder: Path, *, full: bool, data_dir: str | None) -> Mapping[str, float]:
    """Search with each method, and draw all trials.

    Args:
        folder: For hyperparameter_search.png, and a folder for each search.
        full: Nothing takes longer.
        data_dir: Not needed: scikit-learn carries the images.
    """
    results: dict[str, Any] = {}
    for method, trials in TRIALS.items():
        search = HyperparameterSearch(
            SEARCH,
            monitor="val_loss",
            mode="min",
            method=method,
            output=str(_new(folder / method)),
        )
        results[method] = search.run(make, trials)

    _figure(results).savefig(folder / "hyperparameter_search.png", dpi=100)
    figures = {}
    for method in ("hyperband", "random", "grid"):
        result = results[method]
        figures[f"best validation loss, {method}"] = result.best.value
        figures[f"epochs, {method}"] = float(result.epochs)
        figures[f"trials, {method}"] = float(len(result.trials))
        figures[f"learning rate, {method}"] = result.best.values["learning_rate"]
    return figures


def make(values: dict[str, Any], folder: str) -> tuple[Trainer, ImageClassification]:
    """Return the Trainer and the task of one trial."""
    task = ImageClassification(
        "digits", "mlp", batch_size=BATCH, optimizer="sgd", schedule="constant", **values
    )
    return quiet_trainer(EPOCHS, default_root_dir=folder, num_sanity_val_steps=0), task


def _new(folder: Path) -> Path:
    """Return a folder of which an earlier run's table is gone."""
    (folder / "trials.csv").unlink(missing_ok=True)
    return folder


def _figure(results: Mapping[str, Any]) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 11), layout="constrained")
    for axes, (method, result) in zip(figure.subplots(len(results)), results.items(), strict=True):
        result.draw(axes)
        trials, epochs = len(result.trials), result.epochs
        axes.set_title(f"{method}: {trials} trials in {epochs} epochs", weight="bold")
    return figure
