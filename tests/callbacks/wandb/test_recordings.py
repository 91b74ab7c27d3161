"""Sounds and videos become W&B's objects, or are refused by name."""

import wave

import numpy as np
import pytest
import wandb

from lightning_tf.callbacks.wandb import recordings
from lightning_tf.exceptions import DataError


@pytest.fixture
def sound(tmp_path):
    path = tmp_path / "beep.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(np.zeros(800, "int16").tobytes())
    return path


def test_files_are_sent_as_they_are(sound):
    (made,) = recordings.audios([sound], None, ["a beep"])(wandb)
    assert isinstance(made, wandb.Audio)
    (made,) = recordings.videos([sound.rename(sound.with_suffix(".mp4"))], 4, None, "gif")(wandb)
    assert isinstance(made, wandb.Video)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda p: recordings.audios([p / "none.wav"], None, None), "none.wav is no file"),
        (lambda p: recordings.videos([p], 4, None, "gif"), "is no file"),
        (lambda p: recordings.audios([np.zeros(8)], None, None), "sample_rate in hertz"),
        (lambda p: recordings.audios([], None, ["a"]), "1 captions for 0 audios"),
    ],
)
def test_what_cannot_be_sent_is_refused_at_once(tmp_path, make, words):
    with pytest.raises(DataError, match=words):
        make(tmp_path)
