"""Cells run in a Jupyter kernel, and what a saved notebook would hold of them."""

import os

import nbformat
from helpers.paths import ROOT
from nbclient import NotebookClient


class CountingClient(NotebookClient):
    """Runs a notebook as a frontend does, and counts how often outputs were replaced."""

    replaced = 0

    def process_message(self, message, cell, index):
        self.replaced += message["msg_type"] == "update_display_data"
        return super().process_message(message, cell, index)


def environment(folder):
    """Return the environment of a kernel, without what the tests set for themselves."""
    kept = {name: value for name, value in os.environ.items() if name != "MPLBACKEND"}
    paths = {name: str(folder / name) for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR")}
    return {**kept, **paths, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "TF_CPP_MIN_LOG_LEVEL": "3"}


def run_cells(cells, folder):
    """Run cells of code; return their outputs, and how often one was replaced in place."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    client = run_notebook(notebook, folder)
    return [cell.outputs for cell in notebook.cells], client.replaced


def run_notebook(notebook, folder):
    """Run a notebook in a folder, and fill its outputs in."""
    options = {"kernel_name": "python3", "resources": {"metadata": {"path": str(folder)}}}
    client = CountingClient(notebook, timeout=300, **options)
    client.execute(env=environment(folder))
    return client


def said(outputs, stream="stdout"):
    """Return what a cell wrote to a stream."""
    return "".join(output.text for output in outputs if output.get("name") == stream)


def shown(outputs, kind):
    """Return what a cell shows of a MIME type, with the text beside it."""
    data = [output.data for output in outputs if "data" in output]
    return [(each["text/plain"], each[kind]) for each in data if kind in each]
