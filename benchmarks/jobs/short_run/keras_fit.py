"""100 steps of a small convolutional net on the digits, and its test."""

import sys
from pathlib import Path

import keras
import numpy as np

digits = np.load(Path(sys.argv[1], "digits.npz"))
keras.utils.set_random_seed(0)
model = keras.Sequential(
    [
        keras.Input((8, 8, 1)),
        keras.layers.Rescaling(1 / 8, offset=-1),
        keras.layers.Conv2D(32, 3, padding="same", activation="relu"),
        keras.layers.MaxPooling2D(),
        keras.layers.Conv2D(64, 3, padding="same", activation="relu"),
        keras.layers.Flatten(),
        keras.layers.Dense(10),
    ]
)
model.compile(
    optimizer="adam",
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"],
)
model.fit(
    digits["x_train"],
    digits["y_train"],
    batch_size=32,
    epochs=int(sys.argv[2]),
    validation_data=(digits["x_val"], digits["y_val"]),
    callbacks=[
        keras.callbacks.ModelCheckpoint("model.keras"),
        keras.callbacks.CSVLogger("metrics.csv"),
    ],
)
print("accuracy", model.evaluate(digits["x_test"], digits["y_test"])[1])
