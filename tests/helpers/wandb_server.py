"""A small W&B server on 127.0.0.1, for tests of the real wandb without account or network.

It can refuse, hang, die and come back. It knows no permissions and checks no schemas.
"""

import base64
import collections
import gzip
import json
import re
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from helpers.wandb_answers import Answers, ServedRun

OPERATION = re.compile(r"^\s*(?:query|mutation)\s+(\w+)", re.MULTILINE)
KEY = "x" * 40
RETRIES = ("graphql", "file_stream", "file_transfer")
# Whole seconds only: wandb cuts fractions off, and 0 means its default, many seconds.
QUICK = dict.fromkeys(
    [
        "x_file_stream_transmit_interval",
        *(f"x_{part}_retry_wait_{edge}_seconds" for part in RETRIES for edge in ("min", "max")),
    ],
    1.0,
)


class WandbServer:
    """Serves runs and artifacts from memory while a `with` block runs."""

    def __init__(self):
        self.port, self.delay = 0, 0.0
        self.lock = threading.RLock()
        self.requests, self.unknown, self.blobs = collections.Counter(), [], {}
        self.keys = {KEY}
        self._faults, self._http, self._alive = [], None, threading.Event()
        self.answers = Answers("")

    def start(self):
        """Serve, on the same port as before after a stop."""
        self._http = _HTTP(("127.0.0.1", self.port), type("Handler", (_Handler,), {"owner": self}))
        self.port = self._http.server_port
        self.answers.url = self.url
        self._alive.set()
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def stop(self):
        """Refuse new connections and cut the open ones."""
        if self._http is not None:
            self._alive.clear()
            self._http.shutdown()
            self._http.server_close()
            self._http = None

    __enter__ = start

    def __exit__(self, *error):
        self.delay = 0.0
        self.stop()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def settings(self, **more):
        """Return settings of wandb for runs that use this server, with short waits."""
        return {"base_url": self.url, "api_key": KEY, "x_disable_stats": True, **QUICK, **more}

    def environment(self):
        """Return environment variables for another process whose runs use this server."""
        return {"WANDB_BASE_URL": self.url, "WANDB_API_KEY": KEY, "WANDB_MODE": "online"}

    def run(self, run_id):
        with self.lock:
            return self.answers.runs[run_id]

    def blob(self, artifact, name):
        """Return the content of a file of an artifact."""
        return self.blobs[artifact["files"][name]]

    def fail(self, status, where=None, times=-1):
        """Answer with a status, every request or only those of a kind or name.

        The status ``html`` is that of success, with a page that is no answer.
        """
        with self.lock:
            self._faults.append([status, where, times])

    # ---- requests

    def dispatch(self, method, path, headers, body):
        """Return status and answer of a request."""
        parts = urllib.parse.unquote(path.split("?")[0]).strip("/").split("/")
        asked, kind = {}, parts[0]
        name = f"{method} {path}"
        if parts[-1] == "graphql":
            asked = json.loads(body)
            kind, name = "graphql", OPERATION.search(asked["query"])[1]
        elif parts[-1] == "file_stream":
            kind = name = "file_stream"
        with self.lock:
            self.requests[name] += 1
            status = self._fault(kind, name)
            if status is None and kind in ("graphql", "file_stream") and not self._knows(headers):
                status = 401
            if status == "html":  # a proxy's own page, with the status of success
                return 200, b"<html>please log in</html>"
            if status is not None:
                return status, {"errors": [{"message": f"the test says {status}"}]}
            if kind == "graphql":
                return 200, self._graphql(name, asked)
            if kind == "file_stream":
                return 200, self._file_stream(parts[2], parts[3], json.loads(body or b"{}"))
            if kind == "storage":
                return self._storage(method, "/".join(parts[1:]), body)
        return 404, {}

    def _fault(self, kind, name):
        for fault in self._faults:
            status, where, times = fault
            if where in (None, kind, name) and times != 0:
                fault[2] -= 1
                return status
        return None

    def _knows(self, headers):
        _, _, token = headers.get("Authorization", "").partition(" ")
        return base64.b64decode(token).decode().partition(":")[2] in self.keys

    def _graphql(self, name, asked):
        answer = getattr(self.answers, name, None)
        if answer is None:
            self.unknown.append((name, asked))
            return {"data": {}}
        return {"data": answer(asked.get("variables") or {})}

    def _file_stream(self, project, run_id, asked):
        run = self.answers.runs.setdefault(run_id, ServedRun(run_id, project))
        for name, chunk in (asked.get("files") or {}).items():
            for place, line in enumerate(chunk.get("content", [])):
                run.lines[name][chunk["offset"] + place] = line
        if asked.get("complete"):
            run.is_complete, run.exit_code = True, asked.get("exitcode")
        return {"stopped": False, "limits": {}}

    def _storage(self, method, key, body):
        if method == "PUT":
            self.blobs[key] = body
            return 200, {}
        return (200, self.blobs[key]) if key in self.blobs else (404, {})


class _HTTP(ThreadingHTTPServer):
    daemon_threads = allow_reuse_address = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        """Ignore clients that hang up."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    owner = None

    def log_message(self, *args):
        """Print nothing."""

    def _body(self):
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            raw = b"".join(parts)
        else:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return gzip.decompress(raw) if self.headers.get("Content-Encoding") == "gzip" else raw

    def _answer(self):
        server, body = self.owner, self._body()
        deadline = time.monotonic() + server.delay
        while time.monotonic() < deadline and server.delay and server._alive.is_set():
            time.sleep(0.02)
        if not server._alive.is_set():
            self.close_connection = True
            self.connection.close()
            return
        try:
            status, answer = server.dispatch(self.command, self.path, self.headers, body)
        except Exception as error:  # a mistake here must be seen by the test, not hang it
            status, answer = 500, {}
            server.unknown.append((self.path, repr(error)))
        content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = _answer
