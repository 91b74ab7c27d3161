"""Train a small net on photos of 64 pixels, for keras_fit.py to load."""

import sys
from pathlib import Path

import keras

data = Path(sys.argv[1])
keras.utils.set_random_seed(0)
train = keras.utils.image_dataset_from_directory(data / "photos/train", image_size=(64, 64))
layers = [keras.Input((64, 64, 3)), keras.layers.Rescaling(1 / 127.5, offset=-1)]
for filters, size, strides in ((32, 5, 2), (64, 3, 1), (128, 3, 1)):
    layers.append(keras.layers.Conv2D(filters, size, strides, padding="same", activation="relu"))
    layers.append(keras.layers.MaxPooling2D())
layers += [keras.layers.Flatten(), keras.layers.Dense(128, activation="relu")]
model = keras.Sequential([*layers, keras.layers.Dense(2)])
model.compile(
    optimizer="adam",
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"],
)
model.fit(train, epochs=int(sys.argv[2]))
model.save(data / "model.keras")
