"""Small image sets of TensorFlow Datasets, made by the tests without a network."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow_datasets as tfds

from lightning_tf.data import TfdsImages


def images(count, size=6, seed=0, labels=2):
    """Yield examples of noise with alternating labels; of size 7, images of three sizes."""
    random = np.random.RandomState(seed)
    for number in range(count):
        side = size + (number % 3 if size == 7 else 0)
        image = random.randint(0, 256, (side, size, 3)).astype("uint8")
        yield number, {"image": image, "label": number % labels if labels else -1}


class ImageSet(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """A builder whose subclass gives the SHAPE of an image, its SIZE and the SPLITS."""

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
        # Without labels, like the test split of ImageNet.
        labels = 0 if split in getattr(self, "UNLABELED", ()) else 2
        for number, example in images(self.SPLITS[split], self.SIZE, labels=labels):
            yield number, {**example, "place": f"{split} {number}"}

    def _generate_examples(self):
        raise NotImplementedError


class NoValidation(ImageSet, skip_registration=True):
    """A set without a validation split."""

    SHAPE, SIZE, SPLITS = (6, 6, 3), 6, {"train": 50, "test": 10}


class UnequalSizes(ImageSet, skip_registration=True):
    """A set of images of three sizes, without a test split."""

    SHAPE, SIZE, SPLITS = (None, None, 3), 7, {"train": 20, "validation": 6}


class ThreeSplits(ImageSet, skip_registration=True):
    """A set with all three splits, the last one without labels."""

    SHAPE, SIZE, SPLITS = (6, 6, 3), 6, {"train": 40, "validation": 6, "test": 5}
    UNLABELED = ("test",)


def prepare_sets(folder, file_format=None, files=None, builders=(NoValidation,)):
    """Prepare sets in a folder, with `files` files for each split, and return the folder."""
    if file_format == "array_record":
        pytest.importorskip("array_record.python.array_record_module")  # there is none for Windows
    config = tfds.download.DownloadConfig(num_shards=files, try_download_gcs=False)
    for builder in builders:
        builder(data_dir=folder).download_and_prepare(
            file_format=file_format, download_config=config
        )
    return folder


def set_up(name, folder, **options):
    """Return the data module of a set, set up."""
    data = TfdsImages(name, data_dir=folder, **options)
    data.prepare_data()
    data.setup("fit")
    return data
