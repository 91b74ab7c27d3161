"""Data sets of HuggingFace in tasks on images, texts and tables."""

import numpy as np
import pytest
from helpers.boring import fitted
from PIL import Image

from lightning_tf.data import feature_data, image_data, text_data
from lightning_tf.exceptions import ConfigurationError, DataError
from lightning_tf.tasks import ImageClassification, TextClassification

datasets = pytest.importorskip("datasets")
NAMES = ["zebra", "ant"]  # not in the order of the letters


def dataset(count=24, **columns):
    label = columns.pop("label", [n % 2 for n in range(count)])
    features = {"label": datasets.ClassLabel(names=NAMES)}
    kinds = {"image": datasets.Image(), "text": datasets.Value("string")}
    features |= {name: kinds.get(name, datasets.Value("float32")) for name in columns}
    return datasets.Dataset.from_dict(
        {"label": label, **columns}, features=datasets.Features(features)
    )


def images(count=24):
    return [Image.new("RGB", (9, 8 + n % 2), (10 * n, 0, 0)) for n in range(count)]


def flat(stage):
    batches = list(stage.as_numpy_iterator())
    return tuple(np.concatenate(arrays) for arrays in zip(*batches, strict=True))


@pytest.mark.parametrize("in_memory", [False, True])
def test_images_come_with_their_labels_also_of_chosen_rows(in_memory):
    chosen = dataset(image=images()).select(range(3, 15))
    data = image_data(chosen, image_size=8, val_fraction=0.0, in_memory=in_memory)
    data.setup("fit")
    pixels, labels = flat(data.train_dataset(0))
    numbers = np.rint(pixels[:, 4, 4, 0] / 10).astype(int)
    assert sorted(numbers) == list(range(3, 15))
    assert (labels == numbers % 2).all()
    assert data.class_names == NAMES


def test_a_dict_of_images_brings_its_splits_and_is_learnt():
    parts = datasets.DatasetDict(train=dataset(image=images()), validation=dataset(image=images()))
    task = ImageClassification(parts, "linear", image_size=8, batch_size=8)
    trainer = fitted(task, max_epochs=1, seed=0)
    assert {n: len(s.indices) for n, s in task.data.splits.items()} == {"train": 24, "val": 24}
    assert "val_accuracy" in trainer.callback_metrics


def test_texts_keep_the_names_of_their_labels():
    texts = [f"{NAMES[n % 2]} number {n}" for n in range(24)]
    task = TextClassification(dataset(text=texts), "bag_of_words", learning_rate=0.1)
    trainer = fitted(task, max_epochs=8, seed=0)
    assert task.class_names == NAMES
    assert trainer.callback_metrics["val_accuracy"] == 1.0
    missing = dataset(text=texts, label=[-1] + [0, 1] * 11 + [0])
    with pytest.raises(DataError, match="label at index 0"):
        text_data(missing).setup("fit")


def test_tables_are_read_by_column_and_split():
    parts = {name: dataset(x=np.arange(24.0), y=np.ones(24)) for name in ("train", "test")}
    data = feature_data(datasets.DatasetDict(parts), classes=True, target="label")
    data.setup("fit")
    assert data.class_names == ["ant", "zebra"]
    assert data.columns.numbers == ["x", "y"]
    assert len(data.splits["test"].indices) == 24


def test_what_cannot_be_read_is_refused_with_a_remedy():
    stream = dataset(text=["a"] * 24).to_iterable_dataset()
    for make in (text_data, image_data):
        with pytest.raises(ConfigurationError, match="streaming=False"):
            make(stream)
    with pytest.raises(ConfigurationError, match="none to train on"):
        image_data(datasets.DatasetDict(part=dataset(image=images())))
    with pytest.raises(ConfigurationError, match="label_key='lable'"):
        image_data(dataset(image=images()), label_key="lable")
