"""playground: one neuron, a layer and two layers on circles and spirals."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.data import feature_data
from lightning_tf.gallery.common.decision_regions import DecisionRegions
from lightning_tf.gallery.common.quiet_trainer import quiet_trainer
from lightning_tf.tasks import TabularClassification

PROBLEMS = ("circles", "spirals")
NETWORKS: dict[str, tuple[int, ...]] = {
    "one neuron": (),
    "a layer of 8": (8,),
    "two layers of 64": (64, 64),
}
EPOCHS = 60
DRAWN = (0, 1, 5, 20, 60)


def run(folder: Path, *, full: bool, data_dir: str | None) -> Mapping[str, float]:
    """Train each network on each problem and draw what it predicts where.

    Args:
        folder: For playground.png.
        full: Nothing takes longer.
        data_dir: Not needed.
    """
    accuracies, regions = {}, {}
    for problem in PROBLEMS:
        for network, units in NETWORKS.items():
            task = TabularClassification(problem, units=units, learning_rate=0.01)
            region = DecisionRegions(-1.2, 1.2, _probability, DRAWN)
            trainer = quiet_trainer(EPOCHS, callbacks=[region], limit_val_batches=0)

            trainer.fit(task)
            accuracies[problem, network] = trainer.test(task)["test_accuracy"]
            regions[problem, network] = region

    _figure(regions, accuracies).savefig(folder / "playground.png", dpi=100)
    best = accuracies.pop(("spirals", "two layers of 64"))
    others = {f"{problem}, {net}": value for (problem, net), value in accuracies.items()}
    return {"test accuracy on spirals, two layers": best, **others}


def _figure(
    regions: Mapping[tuple[str, str], DecisionRegions], accuracies: Mapping[tuple[str, str], float]
) -> Any:
    from matplotlib.figure import Figure

    points = {name: _test_points(name) for name in PROBLEMS}
    figure = Figure(figsize=(7.2, 8.6), layout="constrained")
    panels = figure.subplots(len(regions), len(DRAWN))
    for row, ((problem, network), region) in zip(panels, regions.items(), strict=True):
        x, y = points[problem]
        row[0].set_ylabel(f"{problem}\n{network}", fontsize=9)
        for axes, epochs in zip(row, DRAWN, strict=True):
            region.draw(axes, epochs, x, y, 14)
        row[-1].set_xlabel(f"test accuracy {accuracies[problem, network]:.2f}", fontsize=9)
    for axes, epochs in zip(panels[0], DRAWN, strict=True):
        axes.set_title("untrained" if epochs == 0 else f"epoch {epochs}", fontsize=10)
    figure.suptitle("Predicted class (dark or pale) and test examples (circles, crosses)", size=11)
    return figure


def _probability(task: TabularClassification, points: NDArray[np.float32]) -> NDArray[Any]:
    return task.predict_table(points)[:, 1]


def _test_points(problem: str) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    test: Any = feature_data(problem, classes=True).test_dataset()
    (batch,) = test.unbatch().batch(1000).as_numpy_iterator()
    return batch[0]["numbers"], batch[1]
