"""Small image sets of TensorFlow Datasets, prepared on the spot without a network."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow_datasets as tfds

from lightning_tf.data import TfdsImages


def images(count, size=6, seed=0, labels=2):
    """Noise and labels that take turns; of size 7, images of three sizes."""
    random = np.random.RandomState(seed)
    for number in range(count):
        side = size + (number % 3 if size == 7 else 0)
        image = random.randint(0, 256, (side, size, 3)).astype("uint8")
        yield number, {"image": image, "label": number % labels if labels else -1}


class Painted(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """A set whose subclass says the SHAPE of an image, its SIZE and the SPLITS."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        # dataset_info_from_configs looks for files beside a module that is inside of a package.
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=self.SHAPE),
                    "label": tfds.features.ClassLabel(names=["left", "right"]),
                    "place": tfds.features.Text(),
                }
            ),
            supervised_keys=("image", "label"),
        )

    def _split_generators(self, dl_manager):
        return {split: self._examples(split) for split in self.SPLITS}

    def _examples(self, split):
        # Without labels, as the test part of ImageNet is.
        labels = 0 if split in getattr(self, "UNLABELLED", ()) else 2
        for number, example in images(self.SPLITS[split], self.SIZE, labels=labels):
            yield number, {**example, "place": f"{split} {number}"}

    def _generate_examples(self):
        raise NotImplementedError


class PaintedOnce(Painted, skip_registration=True):
    """Nothing to validate with."""

    SHAPE, SIZE, SPLITS = (6, 6, 3), 6, {"train": 50, "test": 10}


class PaintedTwice(Painted, skip_registration=True):
    """Images of three sizes; nothing to test with."""

    SHAPE, SIZE, SPLITS = (None, None, 3), 7, {"train": 20, "validation": 6}


class PaintedThrice(Painted, skip_registration=True):
    """Every part, the last one without labels."""

    SHAPE, SIZE, SPLITS = (6, 6, 3), 6, {"train": 40, "validation": 6, "test": 5}
    UNLABELLED = ("test",)


def prepared_in(folder, file_format=None, files=None, builders=(PaintedOnce,)):
    """The folder, with the sets in it; `files` for each split, where the library would take one."""
    if file_format == "array_record":
        pytest.importorskip("array_record.python.array_record_module")  # there is none for Windows
    config = tfds.download.DownloadConfig(num_shards=files, try_download_gcs=False)
    for builder in builders:
        made = builder(data_dir=folder)
        made.download_and_prepare(file_format=file_format, download_config=config)
    return folder


def ready(name, folder, **options):
    """A set's source, set up."""
    data = TfdsImages(name, data_dir=folder, **options)
    data.prepare_data()
    data.setup("fit")
    return data
