"""Answers of JSON that any client can read."""

import json
from typing import Any

from starlette.responses import JSONResponse

from lightning_tf.serving.request_error import RequestError


class JSONAnswer(JSONResponse):
    r"""A response of JSON, a line: UTF-8, no NaN, half characters of a client as escapes.

    Example:
        >>> JSONAnswer({"label": "ü"}).body.decode()
        '{"label":"ü"}\n'
    """

    def render(self, content: Any) -> bytes:
        """Return the body."""
        text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return f"{text}\n".encode("utf-8", "backslashreplace")


def error_answer(error: RequestError) -> JSONAnswer:
    """Return the response for a request that cannot be answered."""
    return JSONAnswer({"detail": error.detail}, status_code=error.status)
