"""RegressionReport: curves, and predictions over the truth."""

import numpy as np
from helpers.boring import Rows, quiet

from lightning_tf import Trainer
from lightning_tf.tasks import Regression
from lightning_tf.tasks.common.regression_report import RegressionReport


def test_the_last_smaller_batch_traces_nothing():
    class Counted(Regression):
        traces = 0

        def predict_step(self, batch):
            self.traces += 1
            return super().predict_step(batch)

        def callbacks(self):
            return [RegressionReport(batch_size=8)]

    x = np.random.default_rng(0).normal(size=(100, 2))
    rows = Rows()
    task = Counted((x, x.sum(axis=1)), units=(4,), data_options={"val_fraction": 0.2})
    Trainer(**quiet(logger=rows, max_epochs=1)).fit(task)
    (figure,) = (content for kind, name, _, content in rows.sent if name == "val/regression")
    assert len(figure.axes[1].collections[0].get_offsets()) == 20
    assert task.traces == 1
