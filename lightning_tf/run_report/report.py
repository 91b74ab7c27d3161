"""report: one file of HTML about one run or several side by side."""

import os
from collections.abc import Sequence
from pathlib import Path

from lightning_tf.exceptions import ConfigurationError
from lightning_tf.run_report.page import Page
from lightning_tf.run_report.run_record import RunRecord
from lightning_tf.storage.location import local_path
from lightning_tf.storage.remote_files import local_run, stored

NAME = "report.html"

Folder = str | os.PathLike[str]


def report(runs: Folder | Sequence[Folder], output: Folder | None = None) -> Path:
    """Write a page about one run, or about several side by side, and return its path.

    It has curves, last and best values, hyperparameters that differ, confusion matrices, images,
    figures, tables, the machine, versions and the command. It is one file that opens in a browser
    without a network, loads nothing from elsewhere, and holds only what stands in the runs'
    folders. A run may still be going on, or have been killed. TensorFlow is not imported.

    Args:
        runs: The folder of a run, such as ``runs/version_0``, or several.
        output: The file to write; ``report.html`` in the first run's folder where it is None.

    Returns:
        The file that was written.

    Raises:
        ConfigurationError: A folder is no run's, or is given twice; the file cannot be written.

    Example:
        >>> report(["runs/version_0", "runs/version_1"], "comparison.html")
        PosixPath('comparison.html')
    """
    folders = [runs] if isinstance(runs, (str, os.PathLike)) else list(runs)
    if not folders:
        raise ConfigurationError("runs is empty; give the folder of at least one run.")
    folders = [local_run(folder) for folder in folders]
    path = Path(folders[0]) / NAME if output is None else Path(local_path("output", output))
    labels = run_labels([Path(folder) for folder in folders])
    if path.is_dir():
        raise ConfigurationError(f"{path} is a folder; give a file, such as {path / NAME}.")
    try:
        text = Page([RunRecord(Path(folder)) for folder in folders], labels).render()
    except OSError as error:
        raise ConfigurationError(
            f"{error.filename} cannot be read ({error.strerror}); make it readable."
        ) from error

    beside = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Names of files may hold bytes that are no text.
        beside.write_bytes(text.encode("utf-8", "replace"))
        os.replace(beside, path)
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be written ({error.strerror}); give another file with --output."
        ) from error
    stored(path)
    return path


def run_labels(folders: Sequence[Path]) -> list[str]:
    """Return the shortest ends of the paths that tell the runs apart.

    Raises:
        ConfigurationError: A run is given twice.

    Example:
        >>> run_labels([Path("a/runs/version_0"), Path("b/runs/version_0")])
        ['a/runs/version_0', 'b/runs/version_0']
    """
    paths = [folder.resolve() for folder in folders]
    for folder, path in zip(folders, paths, strict=True):
        if paths.count(path) > 1:
            raise ConfigurationError(f"{folder} is given twice; give each run once.")

    count = 1
    while True:
        labels = ["/".join(path.parts[-count:]) for path in paths]
        if len(set(labels)) == len(labels):
            return labels
        count += 1
