"""A number from 20 columns of a CSV file, one epoch, and the test on another file."""

import sys
import warnings
from pathlib import Path

import joblib
import pandas as pd
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

data = Path(sys.argv[1])
train = pd.read_csv(data / "train.csv")
y_train = train.pop("target")
model = make_pipeline(
    StandardScaler(),
    MLPRegressor(
        hidden_layer_sizes=(64, 64),
        batch_size=256,
        max_iter=int(sys.argv[2]),
        early_stopping=True,
        random_state=0,
        verbose=True,
    ),
)
warnings.simplefilter("ignore", ConvergenceWarning)  # one epoch is what the job asks for
model.fit(train, y_train)
joblib.dump(model, "model.joblib")

test = pd.read_csv(data / "test.csv")
y_test = test.pop("target")
print("R2", model.score(test, y_test))
