"""Tables and texts of a run: the last of each name."""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lightning_tf.run_report.image_files import STAMPED
from lightning_tf.run_report.inside_folder import list_folder, read_text
from lightning_tf.run_report.run_record import RunRecord

MOST_ROWS, MOST_COLUMNS, MOST_CHARACTERS = 50, 40, 4000
MOST_CLASSES = 30  # of a matrix that can be read; the figure has all
SHADES = 10
MOST_EXAMPLES = 1e15


@dataclass
class TableFile:
    """A table as the page shows it.

    Attributes:
        name: As its file has it.
        step: Updates done when it was logged.
        columns: Of those that are shown.
        rows: Their cells.
        left_out: What is not shown, in words; empty where all is.
        earlier: How many tables of the name came before.
        shades: Of each cell of a confusion matrix, 0 to 10 by its share of the row; else None.
    """

    name: str
    step: int
    columns: list[str]
    rows: list[list[str]]
    left_out: str = ""
    earlier: int = 0
    shades: list[list[int]] | None = None


@dataclass
class TextFile:
    """A text as the page shows it."""

    name: str
    step: int
    text: str
    left_out: str = ""
    earlier: int = 0


def read_tables(run: RunRecord) -> list[TableFile]:
    """Return the last table of each name; of lines, where no files are written."""
    tables = []
    for name, (step, path, earlier) in _newest(run, "tables").items():
        text = read_text(run.folder, path) or ""
        try:
            columns, *rows = csv.reader(io.StringIO(text, newline="")) or [[]]
        except (csv.Error, ValueError):
            run.notes.append(f"{path} is no table and is left out.")
            continue
        tables.append(_table(name, step, columns, rows, earlier))
    return tables or _logged_tables(run)


def read_texts(run: RunRecord) -> list[TextFile]:
    """Return the last text of each name."""
    texts = [
        (name, step, read_text(run.folder, path) or "", earlier)
        for name, (step, path, earlier) in _newest(run, "texts").items()
    ]
    if not texts:
        lines = {str(line.get("name")): line for line in run.lines if line.get("kind") == "text"}
        texts = [
            (name, _step(line.get("step")), str(line.get("text", "")), 0)
            for name, line in lines.items()
        ]
    return [
        TextFile(name, step, text[:MOST_CHARACTERS], _rest(text), earlier)
        for name, step, text, earlier in texts
    ]


def read_files(run: RunRecord) -> list[TableFile]:
    """Return the list of logged files as a table; the last path of each name."""
    rows = {name: [name, step, path] for name, step, path in run.files}
    return [_table("files", 0, ["name", "step", "path"], list(rows.values()), 0)] if rows else []


def _logged_tables(run: RunRecord) -> list[TableFile]:
    tables = {}
    for line in run.lines:
        columns, rows = line.get("columns"), line.get("rows")
        if line.get("kind") == "table" and isinstance(columns, list) and isinstance(rows, list):
            cells = [[_cell(cell) for cell in row] for row in rows if isinstance(row, list)]
            name, names = str(line.get("name")), [str(column) for column in columns]
            tables[name] = _table(name, _step(line.get("step")), names, cells, 0)
    return list(tables.values())


def _newest(run: RunRecord, folder: str) -> dict[str, tuple[int, Path, int]]:
    """Return by name: the last step, its file, and how many came before."""
    found: dict[str, list[tuple[int, Path]]] = {}
    for path in list_folder(run.folder, folder):
        match = STAMPED.fullmatch(path.stem)
        if match is not None:
            steps = found.setdefault(match["name"], [])
            steps.append((int(match["step"]), Path(folder) / path.name))
    return {name: (*max(steps), len(steps) - 1) for name, steps in found.items()}


def _table(
    name: str, step: int, columns: Sequence[str], rows: Sequence[Sequence[str]], earlier: int
) -> TableFile:
    rows = [row for row in rows if row]  # an empty line is none
    shades = _shades(columns, rows)
    left_out = []
    if len(rows) > MOST_ROWS:
        left_out.append(f"{len(rows) - MOST_ROWS} more rows")
    if len(columns) > MOST_COLUMNS:
        left_out.append(f"{len(columns) - MOST_COLUMNS} more columns")
    cells = [[_short(cell) for cell in row[:MOST_COLUMNS]] for row in rows[:MOST_ROWS]]
    left = " and ".join(left_out)
    return TableFile(name, step, list(columns[:MOST_COLUMNS]), cells, left, earlier, shades)


def _shades(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[list[int]] | None:
    """Return the shades of a confusion matrix: a column ``true``, and counts beside it."""
    if not columns or columns[0] != "true" or not 0 < len(rows) <= MOST_CLASSES:
        return None
    try:
        counts = [[float(cell) for cell in row[1:]] for row in rows]
    except ValueError:
        return None
    if not all(0 <= count <= MOST_EXAMPLES for row in counts for count in row):
        return None  # NaN too is not between the two
    return [[round(SHADES * count / (sum(row) or 1.0)) for count in row] for row in counts]


def _short(cell: str) -> str:
    """Return a number with six digits, a long text with its beginning."""
    if re.fullmatch(r"-?\d+\.\d+(?:e[+-]?\d+)?", cell):
        return f"{float(cell):.6g}"
    return cell if len(cell) <= MOST_CHARACTERS // 10 else f"{cell[: MOST_CHARACTERS // 10]} ..."


def _cell(value: object) -> str:
    return "" if value is None else str(value)


def _step(value: object) -> int:
    return value if isinstance(value, int) else 0


def _rest(text: str) -> str:
    more = len(text) - MOST_CHARACTERS
    return f"{more} more characters" if more > 0 else ""
