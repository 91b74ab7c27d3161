"""Metadata of a run that nobody types in: versions of packages, and the state of the code."""

import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from lightning_tf.version import __version__

PACKAGES = ("keras", "tensorflow", "numpy", "keras-hub", "tensorflow-datasets", "wandb")
GIT_SECONDS = 5.0  # a repository on a slow network disk


def package_versions() -> dict[str, str]:
    """Return the versions of Python, of this package and of those that its numbers depend on.

    Example:
        >>> package_versions()["keras"]
        '3.15.1'
    """
    versions = {"python": platform.python_version(), "lightning_tf": __version__}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def git_state(folder: Path | None = None) -> dict[str, Any]:
    """Return commit, branch and whether there are uncommitted changes; empty outside a repository.

    Args:
        folder: Inside the repository; None for the folder of the program that runs.

    Example:
        >>> git_state()
        {'commit': '4be8...', 'branch': 'main', 'dirty': False}
    """
    folder = folder or _program_folder()
    commit = _git(folder, "rev-parse", "HEAD")
    if not commit:
        return {}
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no")
    branch = _git(folder, "rev-parse", "--abbrev-ref", "HEAD")
    return {"commit": commit, "branch": branch, "dirty": bool(changes)}


def _program_folder() -> Path:
    """Return the folder of the program that runs, or the working directory."""
    program = Path(getattr(sys.modules.get("__main__"), "__file__", None) or "")
    return program.resolve().parent if program.is_file() else Path.cwd()


def _git(folder: Path, *arguments: str) -> str:
    try:
        result = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            timeout=GIT_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):  # no git, no repository, or too slow
        return ""
    return result.stdout.strip()
