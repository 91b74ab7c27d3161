"""Decoded images stay in memory where there is room, and training is the same either way."""

import logging

import numpy as np
import pytest
from PIL import Image

from lightning_tf import Trainer
from lightning_tf.data import ImageFolder
from lightning_tf.data.images import keep_in_memory as module
from lightning_tf.data.images.encoded_images import EncodedImages
from lightning_tf.data.images.image_data import image_data
from lightning_tf.data.images.keep_in_memory import keep_in_memory
from lightning_tf.data.pipeline.array_source import ArraySource
from lightning_tf.distribute.cluster import Cluster
from lightning_tf.distribute.workers import SINGLE_WORKER
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.tasks import ImageClassification

PHOTOS, SIDE = 12, 8
NEEDED = PHOTOS * SIDE * SIDE * 3


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root, random = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    for number in range(PHOTOS):
        pixels = random.integers(0, 256, (20, 30, 3)).astype("uint8")
        (root / "ab"[number % 2]).mkdir(exist_ok=True)
        Image.fromarray(pixels).save(root / "ab"[number % 2] / f"{number}.jpg")
    return root


def has(monkeypatch, free):
    monkeypatch.setattr(module, "free_memory", lambda: free)


def source_of(root, stage="fit", **options):
    data = ImageFolder(root, image_size=SIDE, val_fraction=0.25, **options)
    data.setup(stage)
    return type(data.splits["train"].source)


@pytest.mark.parametrize(
    ("free", "kept", "said"),
    [
        (4 * NEEDED, ArraySource, "kept decoded in memory; in_memory=False"),
        (4 * NEEDED - 1, EncodedImages, "decoded in every epoch; in_memory=True"),
        (None, EncodedImages, "decoded in every epoch; in_memory=True"),
    ],
)
def test_a_quarter_of_the_free_memory_is_taken_and_said(
    root, monkeypatch, caplog, free, kept, said
):
    caplog.set_level(logging.INFO, "lightning_tf")
    has(monkeypatch, free)
    assert source_of(root) is kept
    assert caplog.text.count(said) == 1


def test_an_option_decides_alone_and_nothing_is_said(root, monkeypatch, caplog):
    caplog.set_level(logging.INFO, "lightning_tf")
    has(monkeypatch, 0)
    assert source_of(root, in_memory=True) is ArraySource
    has(monkeypatch, 2**40)
    assert source_of(root, in_memory=False) is EncodedImages
    assert "decoded in" not in caplog.text
    for data, wrong in ((root, "yes"), ("tfds:mnist", "auto")):
        with pytest.raises(ConfigurationError, match=f"in_memory='{wrong}': give True or False"):
            image_data(str(data), in_memory=wrong)


def test_what_is_read_once_is_not_kept_unasked(root, monkeypatch):
    has(monkeypatch, 2**40)
    assert source_of(root, "test") is EncodedImages
    data = ImageFolder(root, image_size=SIDE)
    data.is_read_once = True
    data.setup("fit")
    assert type(data.splits["train"].source) is EncodedImages


def test_workers_of_one_machine_share_it_and_all_do_what_the_poorest_can(monkeypatch):
    class Workers:
        count = 3
        count_on_host = Cluster(("a:1", "b:1", "a:2"), 0).count_on_host
        fits = (True, True)

        def all_gather(self, numbers):
            return np.array([numbers, *([fit] for fit in self.fits)])

    has(monkeypatch, 240)  # each has three copies while it gets the parts of the others
    assert Workers.count_on_host == 2
    assert SINGLE_WORKER.count_on_host == 1
    assert keep_in_memory("auto", "photos", 10, (1, 1, 1), Workers())
    assert not keep_in_memory("auto", "photos", 11, (1, 1, 1), Workers())
    Workers.fits = (True, False)
    assert not keep_in_memory("auto", "photos", 10, (1, 1, 1), Workers())


def fitted(root, folder, in_memory, max_epochs=2, ckpt_path=None):
    options = {} if in_memory is None else {"in_memory": in_memory}
    data = ImageFolder(root, image_size=SIDE, batch_size=5, val_fraction=0.25, **options)
    task = ImageClassification(data, "mlp", augmentation=["flip"], schedule="constant")
    trainer = Trainer(
        max_epochs=max_epochs, seed=0, logger=False, enable_checkpointing=False,
        default_root_dir=folder,
    )  # fmt: skip
    trainer.fit(task, ckpt_path=ckpt_path)
    return trainer, task.model.get_weights()


@pytest.mark.slow
def test_the_weights_are_the_same_to_the_bit_and_a_run_goes_on_either_way(root, tmp_path):
    _, expected = fitted(root, tmp_path, False)
    for in_memory in (True, "auto", None):
        _, weights = fitted(root, tmp_path, in_memory)
        for one, other in zip(weights, expected, strict=True):
            np.testing.assert_array_equal(one, other)
    for before, after in ((False, "auto"), ("auto", False)):
        trainer, _ = fitted(root, tmp_path, before, max_epochs=1)
        trainer.save_checkpoint(tmp_path / f"{before}.ckpt")
        _, weights = fitted(root, tmp_path, after, ckpt_path=tmp_path / f"{before}.ckpt")
        for one, other in zip(weights, expected, strict=True):
            np.testing.assert_array_equal(one, other)
