"""Google's share price of the next day, from 60 days less the last one's: two layers of GRU."""

import sys

from lightning_tf import Trainer
from lightning_tf.tasks import TimeSeriesForecast

task = TimeSeriesForecast(
    "google_stock",
    "gru",
    history=60,
    schedule="constant",
    data_dir=sys.argv[1],
    data_options={"test_from": "2017-01-01"},
)
trainer = Trainer(max_epochs=int(sys.argv[2]), seed=0)
trainer.fit(task)
print("RMSE", trainer.test(task)["test_rmse"])
