"""sentiment: film reviews by words and pairs of words; what the embedding learned, what decided.

Joulin, A. et al. (2016). Bag of Tricks for Efficient Text Classification,
https://arxiv.org/abs/1607.01759; the reviews: Maas, A. et al. (2011), Learning Word Vectors for
Sentiment Analysis, https://aclanthology.org/P11-1015
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.gallery.common.quiet_trainer import quiet_trainer
from lightning_tf.gallery.common.sentiment_figure import sentiment_figure
from lightning_tf.layers import EmbeddingBag
from lightning_tf.tasks import TextClassification, TextExplanation

EPOCHS, VOCABULARY = 3, 20_000
ASKED = ("excellent", "funny", "awful", "boring", "waste", "film")
DELETED = 0.1  # of the words of a review
COMPARED, SHOWN = 200, 6  # reviews


@dataclass(frozen=True)
class WordVectors:
    """The words that a trained bag knows, the most frequent first.

    Attributes:
        words: Without padding and the unknown word.
        vectors: Of shape (words, values).
        weights: What a word adds to the log-odds of "positive", for each share of a text.
    """

    words: Sequence[str]
    vectors: NDArray[np.floating]
    weights: NDArray[np.floating]

    @classmethod
    def of(cls, task: Any) -> "WordVectors":
        """Return those of a task whose network is a bag."""
        words = task.vocabulary.words()
        (bag,) = (layer for layer in task.model.layers if isinstance(layer, EmbeddingBag))
        vectors = np.asarray(bag.embeddings)[2 : 2 + len(words)]  # 0 is padding, 1 unknown
        kernel = np.asarray(task.model.get_layer("logits").kernel)
        return cls(words, vectors, vectors @ (kernel[:, 1] - kernel[:, 0]))

    def nearest(self, word: str, count: int) -> list[tuple[str, float]]:
        """Return the words whose vectors have the largest cosine with that of a word."""
        place = self.words.index(word)
        lengths = np.linalg.norm(self.vectors, axis=1)
        cosines = self.vectors @ self.vectors[place] / (lengths * lengths[place])
        cosines[place] = -np.inf
        order = np.argsort(-cosines)[:count]
        return [(self.words[other], float(cosines[other])) for other in order]


def run(folder: Path, *, full: bool, data_dir: str | None) -> Mapping[str, float]:
    """Train on single words, then on pairs too, and look into the first.

    Args:
        folder: For sentiment.png and sentiment_review.html.
        full: Nothing takes longer.
        data_dir: Has imdb_train.csv and imdb_test.csv.
    """
    tasks, accuracies = {}, {}
    for ngrams, name in ((1, "words"), (2, "words and pairs")):
        task: Any = TextClassification(
            "imdb",
            "embedding_bag",
            ngrams=ngrams,
            vocabulary_size=ngrams * VOCABULARY,
            batch_size=64,
            data_dir=data_dir,
        )
        trainer = quiet_trainer(EPOCHS)
        trainer.fit(task)
        accuracies[name] = trainer.test(task)["test_accuracy"]
        tasks[name] = task

    task = tasks["words"]
    vectors = WordVectors.of(task)
    reviews = _reviews(task, COMPARED)
    explanations = task.explain(reviews, steps=1)  # of a bag, one step is exact
    drops = _drops(task, explanations)

    shown = _mixed(explanations)[:SHOWN]
    page = TextExplanation.page(shown, "What decided: reviews of films")
    (folder / "sentiment_review.html").write_text(page, encoding="utf-8")
    nearest = {word: vectors.nearest(word, 5) for word in ASKED}
    figure = sentiment_figure(vectors, nearest, shown[0], accuracies, drops)
    figure.savefig(folder / "sentiment.png", dpi=100)

    by_odds = [abs(e.scores.sum() - e.log_odds + e.log_odds_of_nothing) for e in explanations]
    return {
        "test accuracy, words and pairs": accuracies["words and pairs"],
        "test accuracy, words": accuracies["words"],
        "probability lost with the tenth that decided": drops["that decided"],
        "probability lost with a random tenth": drops["at random"],
        "distance of the scores' sum from the log-odds": float(max(by_odds)),
        "weight of excellent": float(vectors.weights[vectors.words.index("excellent")]),
        "weight of awful": float(vectors.weights[vectors.words.index("awful")]),
        "weight of film": float(vectors.weights[vectors.words.index("film")]),
    }


def _reviews(task: Any, count: int) -> list[str]:
    """Return some reviews of the test part, in turn from all of it."""
    texts = [text.decode() for batch, _ in task.texts.test_dataset() for text in batch.numpy()]
    return list(islice(texts, 0, None, max(1, len(texts) // count)))[:count]


def _mixed(explanations: Sequence[TextExplanation]) -> list[TextExplanation]:
    """Return short reviews with strong words for and against, those with the strongest first."""

    def weaker_side(explanation: TextExplanation) -> float:
        scores = explanation.scores
        return float(min(scores.clip(min=0).sum(), -scores.clip(max=0).sum()))

    short = [explanation for explanation in explanations if 40 <= len(explanation.words) <= 110]
    return sorted(short, key=weaker_side, reverse=True)


def _drops(task: Any, explanations: Sequence[TextExplanation]) -> dict[str, float]:
    """Return the mean loss of the class's probability without a tenth of the words."""
    random = np.random.default_rng(0)
    texts: dict[str, list[str]] = {"that decided": [], "at random": []}
    for explanation in explanations:
        count = max(1, round(DELETED * len(explanation.words)))
        texts["that decided"].append(_without(explanation, np.argsort(-explanation.scores)[:count]))
        chosen = random.choice(len(explanation.words), count, replace=False)
        texts["at random"].append(_without(explanation, chosen))

    drops = {}
    numbers = [task.class_names.index(explanation.class_name) for explanation in explanations]
    for name, shortened in texts.items():
        now = task.predict_step(shortened).numpy()[np.arange(len(numbers)), numbers]
        drops[name] = float(np.mean([e.probability for e in explanations] - now))
    return drops


def _without(explanation: TextExplanation, places: NDArray[np.integer]) -> str:
    left = set(places.tolist())
    return " ".join(word for place, word in enumerate(explanation.words) if place not in left)
