"""IntegratedGradients: what each word of a text contributed to the log-odds of a class.

Sundararajan, M., Taly, A. and Yan, Q. (2017). Axiomatic Attribution for Deep Networks.
https://arxiv.org/abs/1703.01365
"""

from dataclasses import replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lightning_tf.exceptions import ConfigurationError
from lightning_tf.layers.embedding_bag import EmbeddingBag
from lightning_tf.tasks.text_classification.text_explanation import TextExplanation
from lightning_tf.tasks.text_classification.vocabulary import UNKNOWN
from lightning_tf.tasks.text_classification.words import Words


class IntegratedGradients:
    """Explains a task's texts by the gradients along a line from no words to all of them.

    The line begins where the vector of every word is zero and ends at the words' vectors. The
    gradient of the class's log-odds is averaged over it and multiplied by the vectors, so that the
    scores of a text sum up to the log-odds less those of the beginning. For a bag of words and two
    classes they are exact; otherwise more steps come nearer.

    Args:
        task: A TextClassification whose model is made.
        steps: Places on the line.

    Raises:
        ConfigurationError: The network does not look up words in one Embedding.

    Example:
        >>> IntegratedGradients(task, steps=32).explain("A fine film.").strongest(1)
        [('fine', 2.1)]
    """

    def __init__(self, task: Any, steps: int) -> None:
        self.task, self.steps = task, steps
        self.embedding = _embedding(task)
        model = task.built.model
        try:
            rest = keras.Model([model.inputs[0], self.embedding.output], model.outputs[0])
        except (AttributeError, ValueError) as error:
            raise ConfigurationError(
                f"network {model.name!r} cannot be cut behind its Embedding, which explanations "
                f"need: {error}. Build it as a Sequential or Functional model."
            ) from error
        self.rest = replace(task.built, model=rest, vocabulary=None)

    def explain(self, text: str, class_name: str | None = None) -> TextExplanation:
        """Explain one text.

        Args:
            text: Any.
            class_name: The class to explain; None is the one with the largest probability.
        """
        classifier, names = self.task.classifier, self.task.class_names
        texts = tf.constant([text])
        numbers = self.task.vocabulary(classifier.encode(texts))  # (1, length)
        vectors = tf.gather(tf.convert_to_tensor(self.embedding.embeddings), numbers)

        probabilities = tf.nn.softmax(self._logits(numbers, vectors))[0].numpy()
        number = int(probabilities.argmax()) if class_name is None else names.index(class_name)
        scores = self._scores(numbers, vectors, number)
        ends = (vectors, tf.zeros_like(vectors))
        odds, of_nothing = (float(self._log_odds(numbers, end, number)[0]) for end in ends)

        tokens = Words().split(texts)[0].numpy()  # without the runs of words that follow them
        scores = _of_words(scores, len(tokens), classifier.words.ngrams)
        known = tuple(bool(number != UNKNOWN) for number in numbers[0, : len(scores)].numpy())
        words = tuple(token.decode("utf-8") for token in tokens[: len(scores)])
        return TextExplanation(
            words, scores, names[number], float(probabilities[number]), odds, of_nothing, known
        )

    def _scores(self, numbers: tf.Tensor, vectors: tf.Tensor, number: int) -> NDArray[np.floating]:
        """Return a score for each token, shape (length,)."""
        places = (tf.range(self.steps, dtype=tf.float32) + 0.5) / self.steps  # middles of pieces
        scaled = places[:, tf.newaxis, tf.newaxis] * tf.cast(vectors, tf.float32)  # (steps, ...)
        repeated = tf.repeat(numbers, self.steps, axis=0)
        with tf.GradientTape() as tape:
            tape.watch(scaled)
            odds = self._log_odds(repeated, scaled, number)
        gradient = tf.reduce_mean(tape.gradient(odds, scaled), axis=0)  # (length, values)
        scores: NDArray[np.floating] = tf.reduce_sum(gradient * vectors[0], axis=-1).numpy()
        return scores

    def _log_odds(self, numbers: tf.Tensor, vectors: tf.Tensor, number: int) -> tf.Tensor:
        """Return log(p / (1 - p)) of a class, shape (batch,)."""
        logits = self._logits(numbers, vectors)
        others = tf.concat([logits[:, :number], logits[:, number + 1 :]], axis=1)
        return logits[:, number] - tf.reduce_logsumexp(others, axis=1)

    def _logits(self, numbers: tf.Tensor, vectors: tf.Tensor) -> tf.Tensor:
        if isinstance(self.embedding, EmbeddingBag):  # gives the mean of the vectors
            vectors = tf.reduce_mean(vectors, axis=1)
        return self.rest.logits([numbers, vectors], training=False)


def _embedding(task: Any) -> Any:
    """Return the layer in which the network looks up words."""
    model = task.built.model
    layers = [x for x in model.layers if isinstance(x, keras.layers.Embedding)]
    if task.vocabulary is None or len(layers) != 1:
        raise ConfigurationError(
            f"network {model.name!r} cannot be explained word by word: that needs one Embedding of "
            "words, as the named networks have (bag_of_words, gru, ...)."
        )
    return layers[0]


def _of_words(scores: NDArray[np.floating], words: int, ngrams: int) -> NDArray[np.floating]:
    """Return scores of words, among which those of runs of words are divided evenly.

    Args:
        scores: Of all words, then of all pairs, then of all runs of three, and so on; or of the
            first of these, where `max_length` cut the others off.
        words: How many words the text has.
        ngrams: The longest run.

    Example:
        >>> _of_words(np.array([1.0, 2.0, 0.5]), 2, 2).tolist()
        [1.25, 2.25]
    """
    of_words, begin = scores[:words].astype(np.float64), words
    for width in range(2, ngrams + 1):
        runs = scores[begin : begin + max(words - width + 1, 0)]
        for place in range(width):
            of_words[place : place + len(runs)] += runs / width
        begin += len(runs)
    return of_words
