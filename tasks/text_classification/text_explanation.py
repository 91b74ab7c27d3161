"""TextExplanation: how much each word of a text spoke for the class that it was given."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

FOR, AGAINST = "37,99,235", "217,119,6"  # blue and orange, on light and dark pages
STRONG = 0.25  # of the largest score: such words are set off without color too


@dataclass(frozen=True)
class TextExplanation:
    """The words of one text, and what each contributed to the log-odds of a class.

    A notebook shows the text: words for the class on blue and, where strong, bold and underlined;
    words against it on orange and, where strong, in italics between brackets.

    Attributes:
        words: As the network reads them, lower-case, without punctuation.
        scores: Of each word, shape (words,); positive ones speak for the class. They sum up to
            `log_odds` - `log_odds_of_nothing`.
        class_name: The class that is explained.
        probability: That the network gives it.
        log_odds: log(p / (1 - p)) of this probability p.
        log_odds_of_nothing: The same of a text whose words are all zeros.

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

    def strongest(self, count: int = 10) -> list[tuple[str, float]]:
        """Return the words with the largest scores, whatever their sign, and the scores."""
        order = np.argsort(-np.abs(self.scores), kind="stable")[:count]
        return [(self.words[place], float(self.scores[place])) for place in order]

    def html(self) -> str:
        """Return a paragraph of HTML; all of the text is escaped."""
        largest = float(np.abs(self.scores).max(initial=0.0)) or 1.0
        spans = (
            _span(word, float(score) / largest)
            for word, score in zip(self.words, self.scores, strict=True)
        )
        head = f"<strong>{escape(self.class_name)}</strong> {self.probability:.3f}"
        return f'<p style="line-height:1.7">{head}: {" ".join(spans)}</p>'

    @staticmethod
    def page(explanations: "Sequence[TextExplanation]", title: str) -> str:
        """Return a whole page of HTML that shows explanations, one paragraph each.

        Args:
            explanations: Of `TextClassification.explain`.
            title: Plain text.

        Example:
            >>> page = TextExplanation.page(task.explain(["A fine film."]), "What decided")
            >>> Path("explained.html").write_text(page, encoding="utf-8")
        """
        style = "body{font-family:sans-serif;max-width:48rem;margin:auto;padding:1rem}"
        legend = (
            "Words <b><u>for</u></b> the class are blue, and bold and underlined where they weigh "
            "much; words <i>[against]</i> it are orange, in italics and brackets where they do."
        )
        body = "\n".join(explanation.html() for explanation in explanations)
        return (
            '<!doctype html><html lang="en"><meta charset="utf-8">'
            f"<title>{escape(title)}</title><style>{style}</style>"
            f"<h1>{escape(title)}</h1>\n<p>{legend}</p>\n{body}\n</html>\n"
        )

    def _repr_html_(self) -> str:
        return self.html()


def _span(word: str, strength: float) -> str:
    """Return a word in its color; `strength` is in [-1, 1]."""
    shown = escape(word)
    if strength >= STRONG:
        shown = f"<b><u>{shown}</u></b>"
    elif strength <= -STRONG:
        shown = f"<i>[{shown}]</i>"
    color = FOR if strength > 0 else AGAINST
    return f'<span style="background:rgba({color},{0.5 * abs(strength):.2f})">{shown}</span>'
