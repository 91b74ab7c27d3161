"""Sounds and videos for W&B, made of files or arrays."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lightning_tf.callbacks.wandb.media import Maker
from lightning_tf.exceptions import DataError

Recording = str | os.PathLike[str] | np.ndarray


def audios(
    sounds: Sequence[Recording], sample_rate: int | None, captions: Sequence[str] | None
) -> Maker:
    """Return a maker of sounds.

    Args:
        sounds: Files, or arrays of float in [-1, 1], shape (samples,) or (samples, channels).
        sample_rate: Of arrays, in hertz.
        captions: One for each.

    Raises:
        DataError: A file is not there, arrays come without a rate, or captions are missing.
    """
    kept = _kept("audios", sounds, captions)
    if sample_rate is None and any(isinstance(sound, np.ndarray) for sound in kept):
        raise DataError("audios are arrays; give their sample_rate in hertz, such as 44100.")
    return _maker("Audio", kept, captions, lambda _: {"sample_rate": sample_rate})


def videos(
    clips: Sequence[Recording], fps: int, captions: Sequence[str] | None, file_format: str
) -> Maker:
    """Return a maker of videos.

    Args:
        clips: Files, or arrays of uint8, shape (frames, channels, height, width), which W&B encodes
            with the package moviepy.
        fps: Frames a second, of arrays.
        captions: One for each.
        file_format: ``gif``, ``mp4``, ``webm`` or ``ogg``, of arrays.

    Raises:
        DataError: A file is not there, or captions are missing.
    """
    kept = _kept("videos", clips, captions)

    def options(clip: Recording) -> dict[str, Any]:
        return {"fps": fps, "format": file_format} if isinstance(clip, np.ndarray) else {}

    return _maker("Video", kept, captions, options)


def _kept(what: str, recordings: Sequence[Recording], captions: Sequence[str] | None) -> list[Any]:
    """Return files by their paths, and copies of arrays, which may change before they are sent."""
    if captions is not None and len(captions) != len(recordings):
        raise DataError(
            f"{len(captions)} captions for {len(recordings)} {what}; give one for each."
        )
    kept = [np.array(r) if isinstance(r, np.ndarray) else Path(r).absolute() for r in recordings]
    for path in kept:
        if isinstance(path, Path) and not path.is_file():
            raise DataError(f"{what}: {path} is no file.")
    return kept


def _maker(
    kind: str,
    kept: list[Any],
    captions: Sequence[str] | None,
    options: Callable[[Any], dict[str, Any]],
) -> Maker:
    texts = [None] * len(kept) if captions is None else [str(text) for text in captions]

    def make(wandb: Any) -> Any:
        return [
            getattr(wandb, kind)(
                str(each) if isinstance(each, Path) else each, caption=text, **options(each)
            )
            for each, text in zip(kept, texts, strict=True)
        ]

    return make
