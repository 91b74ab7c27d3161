"""Notebook: whether a Jupyter kernel runs this, and outputs that are replaced in place."""

import sys
import uuid
from base64 import b64encode
from typing import Any


def in_notebook() -> bool:
    """Return whether a Jupyter kernel runs this process; imports nothing to find out."""
    return getattr(_shell(), "kernel", None) is not None


def in_ipython() -> bool:
    """Return whether IPython runs this process, in a notebook or in a terminal."""
    return _shell() is not None


def _shell() -> Any:
    get_shell = getattr(sys.modules.get("IPython"), "get_ipython", None)
    return None if get_shell is None else get_shell()


class CellOutput:
    """One output of a cell: shown by the first `show`, replaced in place by later ones.

    A saved notebook has what came last, and nothing of what came before.

    Example:
        >>> output = CellOutput()
        >>> output.show({"text/plain": "half done"})
        >>> output.show({"text/plain": "done"})
    """

    def __init__(self) -> None:
        self._id = ""

    def show(self, contents: dict[str, Any]) -> None:
        """Show contents by their MIME types; a frontend takes the richest one that it knows."""
        from IPython.display import display, update_display  # loaded already: a kernel runs

        if self._id:
            update_display(contents, raw=True, display_id=self._id)  # type: ignore[no-untyped-call]
        else:
            self._id = uuid.uuid4().hex
            display(contents, raw=True, display_id=self._id)  # type: ignore[no-untyped-call]


def png_contents(image: bytes, text: str) -> dict[str, Any]:
    """Return a PNG file as contents of a `CellOutput`, with a text for who cannot show it."""
    return {"image/png": b64encode(image).decode(), "text/plain": text}
