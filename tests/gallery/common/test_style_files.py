import numpy as np
import pytest

from lightning_tf.exceptions import ConfigurationError
from lightning_tf.gallery.common.style_files import HUB, PAINTING, PHOTOS, WEIGHTS, StyleFiles


def test_what_is_missing_is_named_with_where_it_goes(tmp_path):
    with pytest.raises(ConfigurationError, match=rf"has no {PHOTOS}\. .*--data_dir FOLDER"):
        StyleFiles(str(tmp_path))


def test_without_a_painting_the_style_is_drawn_and_a_line_says_so(tmp_path, capsys):
    (tmp_path / PHOTOS).mkdir(parents=True)
    painting = StyleFiles(str(tmp_path)).painting
    assert painting.shape == (256, 256, 3)
    assert len(np.unique(painting.reshape(-1, 3), axis=0)) > 50
    assert str(tmp_path / PAINTING) in capsys.readouterr().out


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
