"""The class of every JPEG file of a folder, in a CSV file."""

import sys
from pathlib import Path

import keras
import pandas as pd
import tensorflow as tf

data = Path(sys.argv[1])
class_names = ["cats", "dogs"]
model = keras.models.load_model(data / "model.keras")
photos = keras.utils.image_dataset_from_directory(
    data / "new_photos", labels=None, shuffle=False, image_size=(64, 64)
)
probabilities = tf.nn.softmax(model.predict(photos.prefetch(tf.data.AUTOTUNE))).numpy()

table = pd.DataFrame({"file": photos.file_paths})
table["label"] = [class_names[number] for number in probabilities.argmax(axis=1)]
table["probability"] = probabilities.max(axis=1)
table[["probability_cats", "probability_dogs"]] = probabilities
table.to_csv("labels.csv", index=False)
print("accuracy", (table["label"] == table["file"].str.split("/").str[-2]).mean())
