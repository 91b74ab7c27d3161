"""100 steps of a small convolutional net on the digits, and its test."""

import sys
from pathlib import Path

import keras
import numpy as np
from network import digits_net

digits = np.load(Path(sys.argv[1], "digits.npz"))
keras.utils.set_random_seed(0)
model = digits_net()
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
