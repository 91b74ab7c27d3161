"""served_run: a run behind HTTP for as long as a block lasts."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lightning_tf.exceptions import ConfigurationError

WAIT = 120  # seconds until the service is ready


@contextmanager
def served_run(run_folder: Path) -> Iterator[str]:
    """Serve a run by `lightning-tf serve` on a free port; yield its address.

    Args:
        run_folder: Of the run; its serve.log gets what the service says.

    Raises:
        ConfigurationError: It did not begin, such as without the extra `serve`.
    """
    command = [sys.executable, "-m", "lightning_tf", "serve", str(run_folder), "--port", "0"]
    log = run_folder / "serve.log"
    with (
        log.open("w") as output,
        subprocess.Popen(command, stdout=output, stderr=output) as process,
    ):
        try:
            yield _address(process, log)
        finally:
            process.terminate()


def _address(process: Any, log: Path) -> str:
    """Return where the service is, once it says so."""
    for _ in range(10 * WAIT):
        is_ready = re.search(r"served by lightning_tf: (http://\S+)", log.read_text())
        if is_ready:
            return is_ready[1]
        if process.poll() is not None:
            break
        time.sleep(0.1)
    lines = log.read_text().splitlines()
    raise ConfigurationError(f"lightning-tf serve did not begin: {lines[-1] if lines else log}")
