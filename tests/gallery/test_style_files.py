import pytest

from lightning_tf.exceptions import ConfigurationError
from lightning_tf.gallery.style_files import HUB, PAINTING, PHOTOS, WEIGHTS, StyleFiles


def test_what_is_missing_is_named_with_where_it_goes(tmp_path):
    (tmp_path / PHOTOS).mkdir(parents=True)
    with pytest.raises(ConfigurationError, match=rf"has no {PAINTING}\. .*--data_dir FOLDER"):
        StyleFiles(str(tmp_path))


def test_networks_that_are_not_in_the_folder_are_left_to_be_downloaded(tmp_path):
    (tmp_path / PHOTOS).mkdir(parents=True)
    (tmp_path / PAINTING).parent.mkdir()
    (tmp_path / PAINTING).touch()
    files = StyleFiles(str(tmp_path))
    assert (files.weights, files.hub) == ("imagenet", {})

    (tmp_path / WEIGHTS).touch()
    (tmp_path / HUB).mkdir()
    files = StyleFiles(str(tmp_path))
    assert (files.weights, files.hub) == (tmp_path / WEIGHTS, {"hub": tmp_path / HUB})
