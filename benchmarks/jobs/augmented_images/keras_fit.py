"""What 5,000 images of CIFAR-10 show, mirrored and shifted at random."""

import sys
from pathlib import Path

import keras
import numpy as np
from network import convolutional_net

cifar = np.load(Path(sys.argv[1], "cifar.npz"))
keras.utils.set_random_seed(0)
model = keras.Sequential(
    [
        keras.Input((32, 32, 3)),
        keras.layers.RandomFlip("horizontal"),
        keras.layers.RandomTranslation(0.125, 0.125),
        keras.layers.Rescaling(1 / 127.5, offset=-1),
        convolutional_net(),
    ]
)
model.compile(
    optimizer="adam",
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"],
)
model.fit(
    cifar["x_train"],
    cifar["y_train"],
    batch_size=64,
    epochs=int(sys.argv[2]),
    validation_data=(cifar["x_val"], cifar["y_val"]),
    callbacks=[
        keras.callbacks.ModelCheckpoint("model.keras"),
        keras.callbacks.CSVLogger("metrics.csv"),
    ],
)
print("accuracy", model.evaluate(cifar["x_test"], cifar["y_test"], batch_size=64)[1])
