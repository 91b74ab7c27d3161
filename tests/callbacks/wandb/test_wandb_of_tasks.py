"""What the tasks on series and tables log reaches an offline run of W&B."""

import numpy as np
import pytest
from helpers.boring import quiet

from lightning_tf import Trainer
from lightning_tf.callbacks import WandbLogger
from lightning_tf.tasks import Regression, TabularClassification, TimeSeriesForecast

TASKS = {
    "forecast": (
        lambda: TimeSeriesForecast(np.sin(np.arange(120.0)), "mlp", history=8, units=4),
        {"test/baselines", "test/forecast", "test/error_by_horizon"},
    ),
    "regression": (lambda: Regression("diabetes", units=(4,)), {"test/regression"}),
    "classification": (
        lambda: TabularClassification("xor", units=(4,)),
        {"test/decision_boundary", "test/confusion_matrix"},
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", TASKS)
def test_an_offline_run_takes_rows_tables_and_figures(name, sealed, tmp_path):
    make, expected = TASKS[name]
    logger = WandbLogger("tasks", dir=tmp_path, mode="offline")
    trainer = Trainer(**quiet(max_steps=2, logger=logger, seed=0))
    trainer.fit(task := make())
    trainer.test(task)
    media = [
        f"{p.parent.name}/{p.name}" for p in tmp_path.glob("wandb/offline-run-*/files/media/**/*.*")
    ]
    for item in expected:
        assert any(logged.startswith(item) for logged in media), (item, media)
