"""text_output: where a callback prints."""

import io
import sys
from typing import TextIO


def text_output(file: TextIO | None) -> TextIO:
    """Return the file to print to: the one that is given, or standard output.

    A process may have none (pythonw, a service) or may have closed it; what is printed then goes
    nowhere, and the training goes on.
    """
    output = file or sys.stdout
    # Not every object that takes standard output's place has `closed`.
    return io.StringIO() if output is None or getattr(output, "closed", False) else output
