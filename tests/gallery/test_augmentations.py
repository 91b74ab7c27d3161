import numpy as np
import pytest

from lightning_tf import seed_everything
from lightning_tf.gallery import augmentations
from lightning_tf.tasks.image_classification.augmentation import AUGMENTATIONS


def name_of(item):
    return item if isinstance(item, str) else item[0]


def test_the_sheet_shows_every_name_that_a_task_takes():
    assert {name_of(item) for item in augmentations.NAMED.values()} == set(AUGMENTATIONS)


def test_a_crop_changes_the_photo_and_leaves_its_label():
    seed_everything(0)
    photos = augmentations.load_photos()
    draws = augmentations.draw(photos, ("crop", {"padding": 24}))
    assert [label for _, label in draws] == ["temple"] * augmentations.DRAWS
    assert not any(np.array_equal(image, photos[0]) for image, _ in draws)


def test_mixed_photos_say_their_shares():
    shares = np.array([0.7, 0.3], "float32")
    assert augmentations.label_text(shares) == "0.70 temple\n0.30 flower"


@pytest.mark.slow
def test_the_sheet_is_drawn(tmp_path):
    figures = augmentations.run(tmp_path, full=False, data_dir=None)
    assert figures == {"augmentations": 14}
    assert (tmp_path / "augmentations.png").stat().st_size > 100_000
