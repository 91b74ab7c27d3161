"""HTML tables for notebooks: escaped, and without colours of their own, light or dark."""

from collections.abc import Sequence
from html import escape

LEFT = "text-align:left;white-space:pre-wrap"
RIGHT = "text-align:right"
MARKS = {ord("$"): "&#36;", ord("*"): "&#42;", ord("_"): "&#95;", ord("\n"): "<br>"}


def html_table(head: Sequence[str], rows: Sequence[Sequence[str]], texts: int = 1) -> str:
    """Return a table in one line, so that it may stand in Markdown.

    Args:
        head: Names of the columns; none leaves the head out.
        rows: Cells, of plain text.
        texts: How many columns are texts, which stand left; the others are numbers.

    Example:
        >>> html_table(["name", "value"], [["loss", "0.1"]]).count("<td")
        2
    """
    heads = f"<thead>{_row('th', head, texts)}</thead>" if head else ""
    body = "".join(_row("td", row, texts) for row in rows)
    return f"<table>{heads}<tbody>{body}</tbody></table>"


def html_card(title: str, rows: Sequence[Sequence[str]]) -> str:
    """Return a heading, and a table of names and what they are.

    Args:
        title: Plain text.
        rows: Pairs; those without a second are left out.
    """
    table = html_table((), [row for row in rows if row[1]], texts=2)
    return f"<div><strong>{_escaped(title)}</strong>{table}</div>"


def _row(tag: str, cells: Sequence[str], texts: int) -> str:
    styles = [LEFT if column < texts else RIGHT for column in range(len(cells))]
    inside = (
        f'<{tag} style="{style}">{_escaped(cell)}</{tag}>'
        for cell, style in zip(cells, styles, strict=True)
    )
    return f"<tr>{''.join(inside)}</tr>"


def _escaped(text: str) -> str:
    # Also what Jupyter takes for formulas and Markdown for emphasis stays text; an empty line would
    # end a block of HTML in Markdown.
    return escape(text).translate(MARKS)
