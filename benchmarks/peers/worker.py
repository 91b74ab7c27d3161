"""Runs of PyTorch and Lightning on request; `benchmarks/peer.py` starts it in its environment.

One JSON object a line on stdin, ``{"module": "tiny_mlp", "function": "fit", "options": {...}}``,
is answered by one on stdout: ``starts``, the times at which each epoch starts and the last one is
over, and ``whole``, the seconds of the call; or ``error``. The first line that it writes says what
is installed. What the libraries print goes into memory.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import sys
import time
import traceback
from importlib import metadata
from typing import Any


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Run what a request names and return its answer."""
    # A bar is drawn in full, as the Trainer's is.
    sys.stdout, sys.stderr = _Terminal(), _Terminal()
    try:
        run = getattr(importlib.import_module(request["module"]), request["function"])
        start = time.perf_counter()
        starts = run(**request["options"])
        return {"starts": starts, "whole": time.perf_counter() - start}
    except Exception:
        return {"error": traceback.format_exc()}


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # compiled code may print too
    import lightning
    import torch

    versions = f"PyTorch {torch.__version__}, Lightning {lightning.__version__}"
    # Named, not imported: only detection uses it, and an environment may have been made without.
    with contextlib.suppress(metadata.PackageNotFoundError):
        versions += f", torchvision {metadata.version('torchvision')}"
    print(json.dumps({"versions": versions}), file=answers)
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), file=answers)


if __name__ == "__main__":
    main()
