"""Whether a review is positive, by the mean of its words' embeddings."""

import sys
from pathlib import Path

from lightning_tf import Trainer
from lightning_tf.tasks import TextClassification

data = Path(sys.argv[1])
task = TextClassification(
    data / "train.csv",
    "embedding_bag",
    max_length=500,
    batch_size=64,
    schedule="constant",
    data_options={"test": data / "test.csv"},
)
trainer = Trainer(max_epochs=int(sys.argv[2]), seed=0)
trainer.fit(task)
print("accuracy", trainer.test(task)["test_accuracy"])
