"""spelled_words: the letters of words of which the fingerprints are known."""

from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lightning_tf.data.text.encoded_texts import EncodedTexts
from lightning_tf.tasks.text_classification.vocabulary import to_integers
from lightning_tf.tasks.text_classification.words import Words


def spelled_words(
    words: Words, data: EncodedTexts, ends: NDArray[np.int64], places: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the letters of words in the training texts, as `to_integers` gives them.

    Only texts in which one of the words stands are read and split. Each of several workers does so
    with its part of them.

    Args:
        words: Splits texts, as it did for the rows.
        data: The texts.
        ends: Where the row of each text ends among all words.
        places: Of the words among all words.
    """
    workers, order = data.workers, np.argsort(places)
    rows = np.searchsorted(ends, places[order], side="right")
    offsets = places[order] - np.concatenate([[0], ends])[rows]

    def spell_part() -> NDArray[np.int64]:
        part = workers.shard(len(ends))
        in_part = slice(*np.searchsorted(rows, [part.start, part.stop]))
        return _spell(words, data, rows[in_part], offsets[in_part])

    letters = workers.all_gather_rows(workers.unless_one_fails(spell_part))
    return np.asarray(letters[np.argsort(order)])


def _spell(words: Words, data: EncodedTexts, rows: Any, offsets: Any) -> NDArray[np.int64]:
    """Return the letters of the word at each offset of the text of each row; rows ascend."""
    texts, which = np.unique(rows, return_inverse=True)
    spelled: list[bytes] = []
    begin = 0
    for batch in data.training_texts(texts) if len(texts) else ():
        split = words.split(batch)
        end = begin + len(batch)
        here = slice(*np.searchsorted(which, [begin, end]))
        starts = split.row_starts().numpy()[which[here] - begin]
        spelled += tf.gather(split.flat_values, starts + offsets[here]).numpy().tolist()
        begin = end
    return to_integers(spelled)
