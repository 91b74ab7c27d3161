"""DataModule and its sources; users import from here."""

from typing import TYPE_CHECKING

from lightning_tf.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from lightning_tf.data.array_data import ArrayData
    from lightning_tf.data.bbc_news import BbcNews
    from lightning_tf.data.cifar10 import Cifar10
    from lightning_tf.data.data_module import DataModule
    from lightning_tf.data.dataset_pair import DatasetPair
    from lightning_tf.data.digits import Digits
    from lightning_tf.data.fashion_mnist import FashionMnist
    from lightning_tf.data.feature_catalog import feature_data
    from lightning_tf.data.feature_table import FeatureTable
    from lightning_tf.data.idx_pictures import IdxPictures
    from lightning_tf.data.images import image_data
    from lightning_tf.data.imdb import Imdb
    from lightning_tf.data.indexed_data import IndexedData, Part
    from lightning_tf.data.mnist5k import Mnist5k
    from lightning_tf.data.picture import Picture
    from lightning_tf.data.picture_arrays import PictureArrays
    from lightning_tf.data.picture_datasets import PictureDatasets
    from lightning_tf.data.picture_folder import PictureFolder
    from lightning_tf.data.series_catalog import time_series_data
    from lightning_tf.data.text_arrays import TextArrays
    from lightning_tf.data.text_folder import TextFolder
    from lightning_tf.data.text_table import TextTable
    from lightning_tf.data.texts import text_data
    from lightning_tf.data.tfds_pictures import TfdsPictures
    from lightning_tf.data.tfds_texts import TfdsTexts
    from lightning_tf.data.time_series import TimeSeries
    from lightning_tf.data.unlabelled_picture_folder import UnlabelledPictureFolder
    from lightning_tf.data.unlabelled_pictures import UnlabelledPictures

__all__ = [
    "ArrayData",
    "BbcNews",
    "Cifar10",
    "DataModule",
    "DatasetPair",
    "Digits",
    "FashionMnist",
    "FeatureTable",
    "IdxPictures",
    "Imdb",
    "IndexedData",
    "Mnist5k",
    "Part",
    "Picture",
    "PictureArrays",
    "PictureDatasets",
    "PictureFolder",
    "TextArrays",
    "TextFolder",
    "TextTable",
    "TfdsPictures",
    "TfdsTexts",
    "TimeSeries",
    "UnlabelledPictureFolder",
    "UnlabelledPictures",
    "feature_data",
    "image_data",
    "text_data",
    "time_series_data",
]

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "ArrayData": "array_data",
        "BbcNews": "bbc_news",
        "Cifar10": "cifar10",
        "DataModule": "data_module",
        "DatasetPair": "dataset_pair",
        "Digits": "digits",
        "FashionMnist": "fashion_mnist",
        "FeatureTable": "feature_table",
        "IdxPictures": "idx_pictures",
        "Imdb": "imdb",
        "IndexedData": "indexed_data",
        "Mnist5k": "mnist5k",
        "Part": "indexed_data",
        "Picture": "picture",
        "PictureArrays": "picture_arrays",
        "PictureDatasets": "picture_datasets",
        "PictureFolder": "picture_folder",
        "TextArrays": "text_arrays",
        "TextFolder": "text_folder",
        "TextTable": "text_table",
        "TfdsPictures": "tfds_pictures",
        "TfdsTexts": "tfds_texts",
        "TimeSeries": "time_series",
        "UnlabelledPictureFolder": "unlabelled_picture_folder",
        "UnlabelledPictures": "unlabelled_pictures",
        "feature_data": "feature_catalog",
        "image_data": "images",
        "text_data": "texts",
        "time_series_data": "series_catalog",
    },
)
