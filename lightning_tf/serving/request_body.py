"""Bodies of requests: instances as JSON, and files."""

import json
import os
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request

from lightning_tf.serving.request_error import UNREADABLE, WRONG_DATA, WRONG_TYPE, RequestError

LONGEST_NAME = 200  # of a file
JSON, FILES = "application/json", "multipart/form-data"


def check_type(request: Request, wanted: str) -> None:
    """Refuse a body of another type.

    Raises:
        RequestError: The header Content-Type says something else.
    """
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given != wanted:
        raise RequestError(
            WRONG_TYPE, f"the body is {given[:100] or 'of no type'!r}; send Content-Type: {wanted}."
        )


def instances_of(body: bytes, max_batch: int) -> list[Any]:
    """Return the instances of a body of JSON.

    Args:
        body: ``{"instances": [...]}``.
        max_batch: The most of them.

    Raises:
        RequestError: It is something else.

    Example:
        >>> instances_of(b'{"instances": ["one", "two"]}', 64)
        ['one', 'two']
    """
    try:
        given = json.loads(body, parse_constant=_refuse_constant)
    except RecursionError:
        raise RequestError(UNREADABLE, "the JSON is nested too deeply.") from None
    except ValueError as error:  # of JSON, of UTF-8, and of numbers of thousands of digits
        raise RequestError(UNREADABLE, f"the body is no JSON: {_short(error)}.") from None
    if not isinstance(given, dict) or not isinstance(given.get("instances"), list):
        raise RequestError(WRONG_DATA, 'send {"instances": [...]}, a list.')
    others = sorted(set(given) - {"instances"})
    if others:
        raise RequestError(
            WRONG_DATA, f"there is no {others[0][:50]!r} beside instances; leave it out."
        )
    check_count(len(given["instances"]), max_batch, "instances")
    return list(given["instances"])


async def files_of(request: Request, max_batch: int) -> list[tuple[str, bytes]]:
    """Return names and contents of the files of a form.

    Args:
        request: With a body of the type multipart/form-data.
        max_batch: The most of them.

    Raises:
        RequestError: There are none or too many, or the body is something else.
    """
    files = []
    try:
        async with request.form(max_files=max_batch, max_fields=max_batch) as form:
            for field, part in form.multi_items():
                if isinstance(part, str):
                    raise RequestError(
                        WRONG_DATA, f"the field {field[:50]!r} is no file; curl -F 'files=@NAME'."
                    )
                files.append((_base_name(part.filename), await part.read()))
    except HTTPException as error:
        raise RequestError(UNREADABLE, f"the form cannot be read: {error.detail}") from None
    except ValueError as error:  # of the parser, which Starlette passed on before 0.47
        raise RequestError(UNREADABLE, f"the form cannot be read: {_short(error)}.") from None
    check_count(len(files), max_batch, "files")
    return files


def check_count(count: int, max_batch: int, what: str) -> None:
    """Refuse a request of nothing, or of too much.

    Raises:
        RequestError: There are none, or more than the most.
    """
    if not count:
        raise RequestError(WRONG_DATA, f"there are no {what}; send at least one.")
    if count > max_batch:
        raise RequestError(
            WRONG_DATA,
            f"{count} {what} are more than {max_batch}; send them in several requests, or start "
            "the server with a larger --max_batch.",
        )


def _base_name(name: str | None) -> str:
    return os.path.basename((name or "file").replace("\\", "/"))[:LONGEST_NAME] or "file"


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON; null stands for what is missing")


def _short(error: ValueError) -> str:
    return str(error).partition("\n")[0][:200].rstrip(".")
