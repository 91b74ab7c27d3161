"""A served model on a real socket, and a client of the standard library that asks it."""

import base64
import http.client
import json
import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import uvicorn
from helpers.paths import ROOT

from lightning_tf.serving.server import bound_socket

BOUNDARY = "7f3a9e"


class Client:
    """Asks a server on this machine; answers are (code, value)."""

    def __init__(self, port):
        self.port = port

    def ask(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        is_json = response.headers.get("content-type", "") == "application/json"
        return response.status, json.loads(content) if is_json else content.decode()

    def get(self, path):
        return self.ask("GET", path)

    def send(self, body, kind="application/json", path="/predict", **headers):
        return self.ask("POST", path, body, {"Content-Type": kind, **headers})

    def predict(self, *instances):
        return self.send(json.dumps({"instances": instances}))

    def predict_files(self, *files):
        """Send pairs of name and content."""
        parts = [
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n'
            "\r\n".encode()
            + content
            + b"\r\n"
            for name, content in files
        ]
        body = b"".join([*parts, f"--{BOUNDARY}--\r\n".encode()])
        return self.send(body, f"multipart/form-data; boundary={BOUNDARY}", "/predict/files")


@contextmanager
def served(app):
    """A client of an application that a thread of this process serves."""
    bound = bound_socket("127.0.0.1", 0)
    server = uvicorn.Server(
        uvicorn.Config(app, http="h11", loop="asyncio", log_level="critical", ws="none")
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
    thread.start()
    try:
        while not server.started and thread.is_alive():
            time.sleep(0.01)
        yield Client(bound.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join()
        bound.close()


@contextmanager
def served_by_command(*arguments, cwd):
    """A client and the process of `lightning-tf serve`, whose first line was read."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-m", "lightning_tf", "serve", *arguments, "--port", "0"],
        cwd=cwd,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        said = process.stdout.readline()
        if not said:
            raise AssertionError(process.communicate()[1])
        port = int(said.partition("http://127.0.0.1:")[2].partition(" ")[0])
        yield Client(port), process, said
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def b64(content):
    """The content of a file as an instance of JSON."""
    return {"b64": base64.b64encode(content).decode()}
