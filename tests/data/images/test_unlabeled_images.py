"""Images to learn to make: whatever holds images will do."""

import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import quiet
from PIL import Image

from lightning_tf import Trainer
from lightning_tf.data.images.unlabeled_images import generation_data, generation_spec
from lightning_tf.exceptions import ConfigurationError, DataError
from lightning_tf.tasks import GAN

X = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 3)).astype("uint8")


def folder(root, *names):
    for name in names or ("",):
        (root / name).mkdir(parents=True, exist_ok=True)
        for number in range(12):
            Image.fromarray(X[number]).save(root / name / f"{number}.png")
    return root


SOURCES = {
    "array": lambda root: X,
    "tensor": lambda root: tf.constant(X),
    "list": lambda root: list(X),
    "list of two": lambda root: [X[0], X[1]],
    "one class of arrays": lambda root: (X, np.zeros(40, int)),
    "flat folder": lambda root: folder(root),
    "one class folder": lambda root: folder(root, "cats"),
    "datasets of images": lambda root: tf.data.Dataset.from_tensor_slices(X).batch(8),
    "pair of datasets": lambda root: (tf.data.Dataset.from_tensor_slices(X).batch(8),) * 2,
    "one class of a dataset": lambda root: tf.data.Dataset.from_tensor_slices(
        (X, np.zeros(40, int))
    ).batch(8),
}


@pytest.mark.parametrize("name", SOURCES)
def test_images_without_classes_come_from_anywhere(tmp_path, name):
    source = SOURCES[name](tmp_path)
    options = {"image_size": 8} if "folder" in name else {}
    data = generation_data(source, **options)
    data.setup("fit")
    spec = generation_spec(data)
    assert (spec.input_shape, spec.num_classes, spec.value_range) == ((8, 8, 3), 1, (0.0, 255.0))
    images, labels = next(data.train_dataset(0).as_numpy_iterator())
    assert images.shape[1:] == (8, 8, 3)
    assert (labels == 0).all()


@pytest.mark.slow
def test_a_gan_learns_from_a_flat_folder_and_needs_classes_to_be_conditional(tmp_path):
    task = GAN(folder(tmp_path), networks="mlp", image_size=8, num_samples=4)
    Trainer(**quiet(max_steps=1, seed=0)).fit(task)
    assert task.sample(2).shape == (2, 8, 8, 3)
    conditional = GAN(X, networks="mlp", conditional=True)
    with pytest.raises(ConfigurationError, match="conditional=True needs a class for each image"):
        Trainer(**quiet(max_steps=1, seed=0)).fit(conditional)


def test_folders_with_classes_keep_them(tmp_path):
    data = generation_data(folder(tmp_path, "cats", "dogs"), image_size=8)
    data.setup("fit")
    assert generation_spec(data).class_names == ["cats", "dogs"]


def test_what_cannot_be_is_named():
    with pytest.raises(ConfigurationError, match="data is a list of 3"):
        generation_data([1, 2, 3])
    with pytest.raises(ConfigurationError, match="image_size=8 has no meaning"):
        generation_data(X, image_size=8)
    nan = np.where(np.arange(X.size).reshape(X.shape) == 70, np.nan, X / 255.0)
    with pytest.raises(DataError, match="NaN or infinity in 1 of 40, the first at index 0"):
        generation_data(nan).setup("fit")
    with pytest.raises(DataError, match="several shapes"):
        generation_data([X[0], X[0][:4]] * 3).setup("fit")
