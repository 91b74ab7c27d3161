"""The class of every JPEG file of a folder, in a CSV file."""

import sys
from pathlib import Path

from lightning_tf.tasks import ImageClassification

data = Path(sys.argv[1])
task = ImageClassification.from_checkpoint(data / "ours.ckpt", data=None)
table = task.predict(data / "new_photos")
table.save("labels.csv")
print("accuracy", (table.frame["label"] == table.frame["file"].str.split("/").str[-2]).mean())
