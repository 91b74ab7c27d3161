"""DataModule and its sources; users import from here."""

from typing import TYPE_CHECKING

from lightning_tf.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from lightning_tf.data.array_data import ArrayData as ArrayData
    from lightning_tf.data.boxes.annotated_images import AnnotatedImages as AnnotatedImages
    from lightning_tf.data.boxes.detection_data import detection_data as detection_data
    from lightning_tf.data.boxes.formats.box_arrays import BoxArrays as BoxArrays
    from lightning_tf.data.boxes.formats.box_table import BoxTable as BoxTable
    from lightning_tf.data.boxes.formats.coco_annotations import CocoAnnotations as CocoAnnotations
    from lightning_tf.data.boxes.formats.digit_scenes import DigitScenes as DigitScenes
    from lightning_tf.data.boxes.formats.voc_folder import VocFolder as VocFolder
    from lightning_tf.data.boxes.formats.write_coco import write_coco as write_coco
    from lightning_tf.data.boxes.formats.write_voc import write_voc as write_voc
    from lightning_tf.data.boxes.formats.yolo_folder import YoloFolder as YoloFolder
    from lightning_tf.data.boxes.image_annotation import ImageAnnotation as ImageAnnotation
    from lightning_tf.data.boxes.letterbox import boxes_to_input as boxes_to_input
    from lightning_tf.data.boxes.letterbox import boxes_to_original as boxes_to_original
    from lightning_tf.data.boxes.letterbox import letterbox_frame as letterbox_frame
    from lightning_tf.data.boxes.letterbox import letterbox_image as letterbox_image
    from lightning_tf.data.boxes.unannotated_images import UnannotatedImages as UnannotatedImages
    from lightning_tf.data.data_module import DataModule as DataModule
    from lightning_tf.data.images.cifar10 import Cifar10 as Cifar10
    from lightning_tf.data.images.cifar100 import Cifar100 as Cifar100
    from lightning_tf.data.images.hugging_face_images import (
        HuggingFaceImages as HuggingFaceImages,
    )
    from lightning_tf.data.images.idx_files import IdxFiles as IdxFiles
    from lightning_tf.data.images.image import Image as Image
    from lightning_tf.data.images.image_arrays import ImageArrays as ImageArrays
    from lightning_tf.data.images.image_data import image_data as image_data
    from lightning_tf.data.images.image_datasets import ImageDatasets as ImageDatasets
    from lightning_tf.data.images.image_folder import ImageFolder as ImageFolder
    from lightning_tf.data.images.image_table import ImageTable as ImageTable
    from lightning_tf.data.images.small_sets import Digits as Digits
    from lightning_tf.data.images.small_sets import FashionMnist as FashionMnist
    from lightning_tf.data.images.small_sets import Mnist5k as Mnist5k
    from lightning_tf.data.images.tfds_images import TfdsImages as TfdsImages
    from lightning_tf.data.images.unlabeled_image_folder import (
        UnlabeledImageFolder as UnlabeledImageFolder,
    )
    from lightning_tf.data.images.unlabeled_images import UnlabeledImages as UnlabeledImages
    from lightning_tf.data.indexed_data import IndexedData as IndexedData
    from lightning_tf.data.indexed_data import Split as Split
    from lightning_tf.data.report.data_report import DataReport as DataReport
    from lightning_tf.data.series.time_series import TimeSeries as TimeSeries
    from lightning_tf.data.series.time_series_data import time_series_data as time_series_data
    from lightning_tf.data.sources.dataset_pair import DatasetPair as DatasetPair
    from lightning_tf.data.tables.feature_data import feature_data as feature_data
    from lightning_tf.data.tables.feature_table import FeatureTable as FeatureTable
    from lightning_tf.data.text.named_sets import BbcNews as BbcNews
    from lightning_tf.data.text.named_sets import Imdb as Imdb
    from lightning_tf.data.text.text_arrays import TextArrays as TextArrays
    from lightning_tf.data.text.text_data import text_data as text_data
    from lightning_tf.data.text.text_datasets import TextDatasets as TextDatasets
    from lightning_tf.data.text.text_folder import TextFolder as TextFolder
    from lightning_tf.data.text.text_table import TextTable as TextTable
    from lightning_tf.data.text.tfds_texts import TfdsTexts as TfdsTexts

__getattr__, __dir__, __all__ = lazy_exports(__name__)
