"""Folders of runs as the loggers write them, made by hand, and the page about them as text."""

import csv
import io
import json
from html.parser import HTMLParser

from PIL import Image

from lightning_tf import report

HOSTILE = (
    "<script>document.title='pwned'</script>",
    '"><img src=x onerror="document.title=\'pwned\'">',
    "</script><script>document.title='pwned'</script>",
    "{{ 7 * 7 }} & 'quoted'",
)


def write_run(folder, rows=(), hparams=None, calls=None):
    """Write metrics.csv, hparams.json and calls.jsonl; a row is a dict with its step."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "hparams.json").write_text(json.dumps(hparams or {"lr": 0.1}))
    if rows:
        columns = dict.fromkeys(name for row in rows for name in row)
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, list(columns), restval="")
        writer.writeheader()
        writer.writerows(rows)
        (folder / "metrics.csv").write_text(text.getvalue(), newline="")
    for line in calls or ():
        with (folder / "calls.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")
    return folder


def epochs(count, per_epoch=10, **columns):
    """Return rows of training and validation over some epochs."""
    rows = []
    for epoch in range(count):
        step = (epoch + 1) * per_epoch
        rows.append(
            {"step": step - per_epoch // 2, "epoch": epoch, "train/loss": 1.5 / (1 + epoch)}
        )
        end = {"train/loss_epoch": 1.2 / (1 + epoch), "val/loss": 1.0 / (1 + epoch)}
        rows.append({"step": step, "epoch": epoch, **end, **columns})
    return rows


def write_image(path, color=(200, 30, 30)):
    """Write a small PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (24, 16), color).save(path)


class PageText(HTMLParser):
    """What a browser would make of a page: its elements, their attributes, and the text shown."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.elements, self.texts, self._inside = [], [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag in ("script", "style"):
            self._inside.append(tag)

    def handle_endtag(self, tag):
        if self._inside and self._inside[-1] == tag:
            self._inside.pop()

    def handle_data(self, data):
        if not self._inside and data.strip():
            self.texts.append(data.strip())

    @property
    def text(self):
        return "\n".join(self.texts)

    def count(self, tag, **attributes):
        return sum(
            name == tag and all(found.get(key) == value for key, value in attributes.items())
            for name, found in self.elements
        )


def page_of(*folders):
    """Write the report of runs and return it as a browser would read it."""
    return PageText(report(folders).read_text())
