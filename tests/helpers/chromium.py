"""A headless Chromium that shows a file: its elements after all scripts ran, and what it said."""

import http.server
import re
import shutil
import subprocess
import threading
from contextlib import contextmanager

import pytest

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
needs_chromium = pytest.mark.skipif(not CHROMIUM, reason="there is no chromium on this machine")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--enable-logging=stderr",
)


def show(path, folder, *flags):
    """Return the elements of a page as text, and the lines of its console.

    Args:
        path: Of the page.
        folder: An empty one, for the browser's own files.
        flags: Further ones, such as ``--screenshot=page.png``.
    """
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={folder}", *flags, "--dump-dom", path.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout, re.findall(r"CONSOLE\S* (.*)", done.stderr)


@contextmanager
def watched_server():
    """Give the address of a server on this machine, and the list of paths that it is asked for."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
