"""A number from 20 columns of a CSV file, one epoch, and the test on another file."""

import sys
from pathlib import Path

import keras
import pandas as pd

data = Path(sys.argv[1])
keras.utils.set_random_seed(0)
train = pd.read_csv(data / "train.csv")
y_train = train.pop("target").to_numpy("float32")
x_train = train.to_numpy("float32")
test = pd.read_csv(data / "test.csv")
y_test = test.pop("target").to_numpy("float32")
x_test = test.to_numpy("float32")

normalizer = keras.layers.Normalization()
normalizer.adapt(x_train)
model = keras.Sequential(
    [
        normalizer,
        keras.layers.Dense(64, activation="relu"),
        keras.layers.Dense(64, activation="relu"),
        keras.layers.Dense(1),
    ]
)
model.compile(optimizer="adam", loss="mse", metrics=["mae", keras.metrics.R2Score()])
model.fit(
    x_train,
    y_train[:, None],
    batch_size=256,
    epochs=int(sys.argv[2]),
    validation_split=0.1,
    callbacks=[
        keras.callbacks.ModelCheckpoint("model.keras"),
        keras.callbacks.CSVLogger("metrics.csv"),
    ],
)
results = model.evaluate(x_test, y_test[:, None], batch_size=256, return_dict=True)
print("R2", results["r2_score"])
