"""A number from 20 columns of a CSV file, one epoch, and the test on another file."""

import sys
from pathlib import Path

from lightning_tf import Trainer
from lightning_tf.tasks import Regression

data = Path(sys.argv[1])
task = Regression(
    data / "train.csv",
    target="target",
    units=(64, 64),
    batch_size=256,
    schedule="constant",
    data_options={"test": data / "test.csv"},
)
trainer = Trainer(max_epochs=int(sys.argv[2]), seed=0)
trainer.fit(task)
print("R2", trainer.test(task)["test_r2"])
