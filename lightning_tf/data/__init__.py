"""DataModule and its sources; users import from here."""

from typing import TYPE_CHECKING

from lightning_tf.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from lightning_tf.data.array_data import ArrayData
    from lightning_tf.data.data_module import DataModule
    from lightning_tf.data.images.cifar10 import Cifar10
    from lightning_tf.data.images.idx_files import IdxFiles
    from lightning_tf.data.images.image import Image
    from lightning_tf.data.images.image_arrays import ImageArrays
    from lightning_tf.data.images.image_data import image_data
    from lightning_tf.data.images.image_datasets import ImageDatasets
    from lightning_tf.data.images.image_folder import ImageFolder
    from lightning_tf.data.images.small_sets import Digits, FashionMnist, Mnist5k
    from lightning_tf.data.images.tfds_images import TfdsImages
    from lightning_tf.data.images.unlabeled_image_folder import UnlabeledImageFolder
    from lightning_tf.data.images.unlabeled_images import UnlabeledImages
    from lightning_tf.data.indexed_data import IndexedData, Split
    from lightning_tf.data.series.time_series import TimeSeries
    from lightning_tf.data.series.time_series_data import time_series_data
    from lightning_tf.data.sources.dataset_pair import DatasetPair
    from lightning_tf.data.tables.feature_data import feature_data
    from lightning_tf.data.tables.feature_table import FeatureTable
    from lightning_tf.data.text.named_sets import BbcNews, Imdb
    from lightning_tf.data.text.text_arrays import TextArrays
    from lightning_tf.data.text.text_data import text_data
    from lightning_tf.data.text.text_folder import TextFolder
    from lightning_tf.data.text.text_table import TextTable
    from lightning_tf.data.text.tfds_texts import TfdsTexts

__all__ = [
    "ArrayData",
    "BbcNews",
    "Cifar10",
    "DataModule",
    "DatasetPair",
    "Digits",
    "FashionMnist",
    "FeatureTable",
    "IdxFiles",
    "Image",
    "ImageArrays",
    "ImageDatasets",
    "ImageFolder",
    "Imdb",
    "IndexedData",
    "Mnist5k",
    "Split",
    "TextArrays",
    "TextFolder",
    "TextTable",
    "TfdsImages",
    "TfdsTexts",
    "TimeSeries",
    "UnlabeledImageFolder",
    "UnlabeledImages",
    "feature_data",
    "image_data",
    "text_data",
    "time_series_data",
]

__getattr__, __dir__ = lazy_exports(__name__)
