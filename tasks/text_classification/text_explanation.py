"""TextExplanation: how much each word of a text spoke for the class that it was given."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

from lightning_tf.exceptions import ConfigurationError
from lightning_tf.tasks.text_classification.words import NOTHING

FOR, AGAINST = "37,99,235", "217,119,6"  # blue and orange, on light and dark pages
STRONG = 0.25  # of the largest score: such words are set off without color too
EVIDENCE = 1.0  # log-odds; a text whose scores are less altogether is paler by as much


@dataclass(frozen=True)
class TextExplanation:
    """The words of one text, and what each contributed to the log-odds of a class.

    A notebook shows the text: words for the class on blue and, where strong, bold and underlined;
    words against it on orange and, where strong, in italics between brackets. Words that are not in
    the vocabulary are gray: the network cannot tell them apart.

    Attributes:
        words: As the network reads them, lower-case, without punctuation.
        scores: Of each word, shape (words,); positive ones speak for the class. They sum up to
            `log_odds` - `log_odds_of_nothing`.
        class_name: The class that is explained.
        probability: That the network gives it.
        log_odds: log(p / (1 - p)) of this probability p.
        log_odds_of_nothing: The same of a text whose words are all zeros.
        known: Whether each word is in the vocabulary; None is that all are.

    Example:
        >>> scores = np.array([2.0, 0.1])
        >>> explanation = TextExplanation(("fine", "film"), scores, "pos", 0.9, 2.2, 0.1)
        >>> explanation.strongest(1)
        [('fine', 2.0)]
        >>> "<b" in explanation.html()
        True
    """

    words: tuple[str, ...]
    scores: NDArray[np.floating]
    class_name: str
    probability: float
    log_odds: float
    log_odds_of_nothing: float
    known: tuple[bool, ...] | None = None

    def strongest(self, count: int = 10) -> list[tuple[str, float]]:
        """Return the words with the largest scores, whatever their sign, and the scores."""
        order = np.argsort(-np.abs(self.scores), kind="stable")[:count]
        return [(self.words[place], float(self.scores[place])) for place in order]

    def html(self) -> str:
        """Return a paragraph of HTML; all of the text is escaped."""
        return self._paragraph("")

    @staticmethod
    def page(
        explanations: "Sequence[TextExplanation]",
        title: str,
        names: "Sequence[str] | None" = None,
    ) -> str:
        """Return a whole page of HTML that shows explanations, one paragraph each.

        Args:
            explanations: Of `TextClassification.explain`.
            title: Plain text.
            names: What stands before each, plain text, such as its row in a table; None is nothing.

        Raises:
            ConfigurationError: There are not as many names as explanations.

        Example:
            >>> page = TextExplanation.page(task.explain(["A fine film."]), "What decided")
            >>> Path("explained.html").write_text(page, encoding="utf-8")
        """
        style = "body{font-family:sans-serif;max-width:48rem;margin:auto;padding:1rem}"
        legend = (
            "Words <b><u>for</u></b> the class are blue, and bold and underlined where they weigh "
            "much; words <i>[against]</i> it are orange, in italics and brackets where they do. "
            "Gray words are not in the vocabulary: the network reads each as the same unknown word."
        )
        names = [""] * len(explanations) if names is None else names
        if len(names) != len(explanations):
            raise ConfigurationError(
                f"names={names!r:.80} are {len(names)} for {len(explanations)} explanations; give "
                "one for each."
            )
        paragraphs = zip(explanations, names, strict=True)
        body = "\n".join(explanation._paragraph(name) for explanation, name in paragraphs)
        return (
            '<!doctype html><html lang="en"><meta charset="utf-8">'
            f"<title>{escape(title)}</title><style>{style}</style>"
            f"<h1>{escape(title)}</h1>\n<p>{legend}</p>\n{body}\n</html>\n"
        )

    def _repr_html_(self) -> str:
        return self.html()

    def _paragraph(self, name: str) -> str:
        known = np.array(self.known or [True] * len(self.words), bool)
        known &= np.array([word != NOTHING for word in self.words], bool)
        sizes = np.abs(self.scores[known])
        # Relative to the largest, so that a long text of many small scores has its colors too.
        largest = float(sizes.max(initial=0.0)) or 1.0
        unit = largest / min(1.0, float(sizes.sum()) / EVIDENCE or 1.0)

        spans = [
            _span(word, float(score) / unit) if is_known else _unknown(word)
            for word, score, is_known in zip(self.words, self.scores, known, strict=True)
            if word != NOTHING
        ]
        lack = "" if known.any() else "no word is in the vocabulary" if spans else "no words"
        notes = f" <small>({lack})</small>" if lack else ""
        label = f"<small>{escape(name)}</small> " if name else ""
        head = f"{label}<strong>{escape(self.class_name)}</strong> {self.probability:.3f}{notes}"
        return f'<p style="line-height:1.7">{head}: {" ".join(spans)}</p>'


def _unknown(word: str) -> str:
    return f'<span style="color:gray" title="not in the vocabulary">{escape(word)}</span>'


def _span(word: str, strength: float) -> str:
    """Return a word in its color; `strength` is in [-1, 1]."""
    shown = escape(word)
    if strength >= STRONG:
        shown = f"<b><u>{shown}</u></b>"
    elif strength <= -STRONG:
        shown = f"<i>[{shown}]</i>"
    color = FOR if strength > 0 else AGAINST
    return f'<span style="background:rgba({color},{0.5 * abs(strength):.2f})">{shown}</span>'
