"""PythonBatches: a PyDataset, a DataLoader, lists and generator functions, read again and again."""

import keras
import numpy as np
import pytest
from helpers.boring import fitted
from helpers.resumable import assert_resume_is_exact

from lightning_tf.data.sources.dataset_pair import DatasetPair
from lightning_tf.data.sources.python_batches import PythonBatches
from lightning_tf.exceptions import ConfigurationError, DataError
from lightning_tf.tasks import ImageClassification, KerasTask, TextClassification

X = np.random.default_rng(0).normal(size=(40, 3))
Y = X.sum(axis=1, keepdims=True)


class Pieces(keras.utils.PyDataset):
    """Batches of 8, counted."""

    def __init__(self):
        super().__init__()
        self.read = []

    def __len__(self):
        return 5

    def __getitem__(self, place):
        self.read.append(place)
        rows = slice(8 * place, 8 * place + 8)
        return X[rows], Y[rows]


def pieces():
    for place in range(5):
        yield X[8 * place : 8 * place + 8], Y[8 * place : 8 * place + 8]


def firsts(dataset):
    """The batches' numbers."""
    numbers = {float(np.float32(X[8 * place, 0])): place for place in range(5)}
    return [numbers[float(x[0, 0])] for x, _ in dataset.as_numpy_iterator()]


def task(data):
    keras.utils.set_random_seed(0)  # the model is made before a Trainer seeds anything
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    return KerasTask(model, "mse", keras.optimizers.SGD(0.1), data=data)


@pytest.mark.parametrize("make", [Pieces, lambda: list(pieces())], ids=["PyDataset", "list"])
def test_the_order_of_batches_is_of_seed_and_epoch(make):
    batches = PythonBatches(make())
    orders = [
        firsts(batches.dataset(seed, epoch)) for seed, epoch in ((0, 0), (0, 0), (0, 1), (1, 0))
    ]
    assert orders[0] == orders[1]
    assert all(sorted(order) == [0, 1, 2, 3, 4] for order in orders)
    assert orders[0] not in orders[2:]
    assert firsts(PythonBatches(make(), shuffle=False).dataset(0, 3)) == [0, 1, 2, 3, 4]


def test_the_rest_of_an_epoch_reads_no_batch_before():
    source = Pieces()
    batches = PythonBatches(source)
    whole = firsts(batches.dataset(0, 2))
    source.read.clear()
    assert firsts(batches.dataset(0, 2, start=3)) == whole[3:]
    assert source.read == whole[3:]
    assert batches.dataset(0, 2, start=3).cardinality() == 2


@pytest.mark.parametrize(
    "make",
    [
        Pieces,
        pytest.param(lambda: pieces, marks=pytest.mark.slow),
        pytest.param(lambda: list(pieces()), marks=pytest.mark.slow),
    ],
    ids=["PyDataset", "function", "list"],
)
def test_training_goes_on_exactly_in_such_batches(tmp_path, make):
    assert_resume_is_exact(tmp_path, lambda: task(make()), list, stop=7, end=13)


def test_validation_and_test_take_such_batches_too():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    trained = KerasTask(model, "mse", "sgd", data=Pieces(), validation_data=pieces,
                        test_data=list(pieces()))  # fmt: skip
    trainer = fitted(trained, max_epochs=1)
    assert trainer.callback_metrics["val_loss"] == pytest.approx(
        trainer.test(trained)["test_loss"], rel=1e-6
    )


def test_kerass_hooks_of_an_epoch_are_called():
    calls = []

    class Hooked(Pieces):
        def on_epoch_end(self):
            calls.append("end")

    fitted(task(Hooked()), max_epochs=2)
    assert calls == ["end", "end"]


def test_what_batches_are_made_of_becomes_tensors():
    batch = ({"a": np.zeros((2, 3)), "b": [1, 2]}, [np.ones(2), np.ones((2, 1))], ["x", "yz"])
    batches = PythonBatches(lambda: iter([batch]))
    inputs, two, texts = next(batches.dataset(0, 0).as_numpy_iterator())
    assert (inputs["a"].dtype, inputs["b"].tolist()) == (np.float32, [1, 2])
    assert [part.shape for part in two] == [(2,), (2, 1)]
    assert texts.tolist() == [b"x", b"yz"]


def test_sizes_in_which_batches_differ_are_open():
    batches = PythonBatches([np.zeros((2, 3)), np.zeros((4, 5))], shuffle=False)
    shapes = [batch.shape for batch in batches.dataset(0, 0).as_numpy_iterator()]
    assert shapes == [(2, 3), (4, 5)]


def test_what_can_be_read_only_once_is_refused_with_the_way_to_write_it():
    with pytest.raises(
        ConfigurationError, match=r"train is a generator, which can be read only once.*function"
    ):
        task(pieces())
    with pytest.raises(DataError, match="gives no batch"):
        PythonBatches(lambda: iter([]))
    with pytest.raises(ConfigurationError, match="train is a dict, which gives no batches"):
        DatasetPair({"x": X})


def test_a_dataloader_of_torch_is_read_in_the_order_of_seed_and_epoch(tmp_path):
    data = pytest.importorskip("torch.utils.data", reason="torch is not installed")
    import torch

    rows = data.TensorDataset(torch.from_numpy(X), torch.from_numpy(Y))

    def loader(**options):
        return data.DataLoader(rows, batch_size=8, shuffle=True, **options)

    for options in ({}, {"generator": torch.Generator()}):
        batches = PythonBatches(loader(**options))
        first, again, other = (
            [x.tolist() for x, _ in batches.dataset(0, epoch).as_numpy_iterator()]
            for epoch in (0, 0, 1)
        )
        assert first == again != other
    assert_resume_is_exact(tmp_path, lambda: task(loader()), list, stop=7, end=13)


class Labeled(keras.utils.PyDataset):
    """Batches of 8 images or texts and their classes."""

    def __init__(self, examples):
        super().__init__()
        self.examples = examples

    def __len__(self):
        return 5

    def __getitem__(self, place):
        rows = slice(8 * place, 8 * place + 8)
        return self.examples[rows], np.arange(40)[rows] % 2


IMAGES = np.random.default_rng(1).integers(0, 256, (40, 8, 8, 1), dtype=np.uint8)
TEXTS = np.array(["red and blue", "green or black"] * 20)


@pytest.mark.parametrize(
    "make",
    [
        lambda: ImageClassification(Labeled(IMAGES), "linear"),
        pytest.param(
            lambda: ImageClassification(lambda: iter([(IMAGES, np.arange(40) % 2)]), "linear"),
            marks=pytest.mark.slow,
        ),
        pytest.param(
            lambda: TextClassification(Labeled(TEXTS), dropout=0.0), marks=pytest.mark.slow
        ),
    ],
    ids=["images", "images of a function", "texts"],
)
def test_images_and_texts_come_in_such_batches_too(tmp_path, make):
    trained = make()
    trainer = fitted(trained, max_epochs=1, seed=0)
    assert trained.num_classes == 2
    assert np.isfinite(trainer.callback_metrics["loss"])


@pytest.mark.slow
def test_images_in_such_batches_resume_exactly(tmp_path):
    def make():
        return ImageClassification(Labeled(IMAGES), "linear", schedule="constant")

    assert_resume_is_exact(tmp_path, make, list, stop=7, end=13)
