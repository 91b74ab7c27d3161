"""Google's share price of the next day, from 60 days less the last one's: two layers of GRU."""

import sys
from pathlib import Path

import keras
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

keras.utils.set_random_seed(0)
table = pd.read_csv(Path(sys.argv[1], "google_stock.csv"), parse_dates=["Date"])
prices = table["Close"].to_numpy("float64")
windows = np.lib.stride_tricks.sliding_window_view(prices, 61)
last = windows[:, 59]
x, y = windows[:, :60] - last[:, None], windows[:, 60] - last
is_test = table["Date"].to_numpy()[60:] >= np.datetime64("2017-01-01")
x_scale, y_scale = x[~is_test].std(), y[~is_test].std()
x, y = (x / x_scale).astype("float32")[..., None], (y / y_scale).astype("float32")

model = keras.Sequential(
    [
        keras.Input((60, 1)),
        keras.layers.GRU(64, return_sequences=True),
        keras.layers.GRU(64),
        keras.layers.Dense(1),
    ]
)
model.compile(optimizer="adam", loss="mse", metrics=["mae"])
history = model.fit(
    x[~is_test],
    y[~is_test],
    batch_size=32,
    epochs=int(sys.argv[2]),
    callbacks=[
        keras.callbacks.ModelCheckpoint("model.keras"),
        keras.callbacks.CSVLogger("metrics.csv"),
    ],
)
forecast = model.predict(x[is_test])[:, 0] * y_scale + last[is_test]
true = windows[is_test, 60]
for name, lines in {
    "loss": {"loss": history.history["loss"]},
    "forecast": {"true": true, "forecast": forecast},
}.items():
    plt.figure()
    for label, line in lines.items():
        plt.plot(line, label=label)
    plt.legend()
    plt.savefig(f"{name}.png")
print("RMSE", np.sqrt(np.mean((forecast - true) ** 2)))
