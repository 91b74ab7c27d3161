"""The files that the whole jobs read, made or unpacked before anything is measured.

Each function writes into a folder of its own; `quick` makes less of the same.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.datasets import load_digits, make_friedman1


class Absent(Exception):
    """Data that a job needs are not on this machine; the message says which."""


def write_digits(folder: Path, quick: bool) -> None:
    """Write scikit-learn's digits: 25 batches of 32 for training, 200 for validation."""
    digits = load_digits()
    order = np.random.default_rng(0).permutation(len(digits.target))
    x, y = digits.images[order][..., None].astype("float32"), digits.target[order]
    splits = {"train": slice(0, 800), "val": slice(800, 1000), "test": slice(1000, None)}
    arrays = {f"x_{name}": x[rows] for name, rows in splits.items()}
    arrays |= {f"y_{name}": y[rows] for name, rows in splits.items()}
    np.savez(folder / "digits.npz", **arrays)


def write_tables(folder: Path, quick: bool) -> None:
    """Write rows of Friedman's first problem: 20 columns, 5 of which count."""
    rows = 20_000 if quick else 1_000_000
    for seed, (name, count) in enumerate({"train": rows, "test": rows // 10}.items()):
        x, y = make_friedman1(count, n_features=20, noise=0.5, random_state=seed)
        table = pd.DataFrame(x.round(4), columns=[f"x{number}" for number in range(20)])
        table["target"] = y.round(4)
        table.to_csv(folder / f"{name}.csv", index=False)
