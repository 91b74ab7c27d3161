"""page_of: a small page to try a served model in a browser; nothing is loaded from elsewhere."""

import base64
import hashlib
import json
from functools import cache
from importlib.resources import files
from typing import Any

from lightning_tf.serving.served_model import ServedModel


@cache
def _part(name: str) -> str:
    return (files("lightning_tf.serving") / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


# What the browser may do: run this one script and ask this server.
POLICY = (
    f"default-src 'none'; script-src {_hash(_part('page.js'))}; style-src 'unsafe-inline'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def page_of(model: ServedModel, description: dict[str, Any]) -> str:
    """Return the page.

    Args:
        model: What is served.
        description: What it says of itself; escaped here.
    """
    import jinja2

    example = model.instances.example()
    body = "" if example is None else json.dumps({"instances": [example]}, ensure_ascii=False)
    template = jinja2.Environment(autoescape=True).from_string(_part("page.html.j2"))
    return template.render(
        about=description,
        example=body,
        files=model.instances.files,
        script=_part("page.js"),
        wanted=model.instances.wanted,
    )
