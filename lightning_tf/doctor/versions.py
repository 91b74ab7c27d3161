"""check_versions: Python, this package, TensorFlow, Keras and NumPy, against the bounds."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
from importlib import metadata
from typing import Any

from packaging.requirements import Requirement
from packaging.version import Version

from lightning_tf.doctor.finding import Finding, ok, problem, warning
from lightning_tf.version import __version__

PACKAGE = "lightning-tf"
NAMES = ("tensorflow", "keras", "numpy")
OTHER_BACKENDS = ("jax", "torch", "openvino")  # of Keras
BACKEND_REMEDY = "unset KERAS_BACKEND, or set backend in keras.json to tensorflow"
OTHER_TENSORFLOWS = ("tensorflow-cpu", "tf-nightly", "tf-nightly-cpu", "tensorflow-gpu")


def check_versions(
    installed: Mapping[str, str] | None = None, requirements: list[str] | None = None
) -> Iterator[Finding]:
    """Yield a finding for the versions, and one for each that is out of bounds.

    Args:
        installed: Versions by package; what is installed where None.
        requirements: Of this package; those of its metadata where None.
    """
    found = installed_versions() if installed is None else installed
    listed = ", ".join(f"{name} {found[name]}" for name in NAMES if name in found)
    yield ok(
        "versions", f"Python {platform.python_version()}, lightning_tf {__version__}, {listed}"
    )

    bounds = _requirements() if requirements is None else requirements
    for requirement in map(Requirement, bounds):
        version = found.get(requirement.name)
        if requirement.name not in NAMES or requirement.marker is not None:
            continue
        if version is None:
            text = f"{requirement.name} is not installed"
            yield problem("versions", text, f"pip install '{requirement}'")
        elif not requirement.specifier.contains(Version(version), prereleases=True):
            text = f"{requirement.name} {version} is out of bounds ({requirement.specifier})"
            yield problem("versions", text, f"pip install '{requirement}'")
    for name in OTHER_TENSORFLOWS:
        if name in found:
            text = f"{name} is installed too, whose files lie in the same folder as tensorflow's"
            remedy = f"pip uninstall {name} tensorflow, then pip install tensorflow again"
            yield warning("versions", text, remedy)


def check_import(value: Mapping[str, Any], trouble: str) -> Iterator[Finding]:
    """Yield whether TensorFlow and Keras can be imported, and on which backend.

    Args:
        value: Of `tensorflow_info`; empty where the import failed.
        trouble: How it failed.
    """
    if trouble:
        remedy = "pip install --force-reinstall tensorflow keras; the last line names the cause"
        if "SIGILL" in trouble:
            remedy = "this CPU lacks instructions (AVX) of the wheel: take another machine"
        if any(f"No module named '{other}" in trouble for other in OTHER_BACKENDS):
            remedy = BACKEND_REMEDY
        yield problem("import", f"importing TensorFlow and Keras {trouble}", remedy)
    elif value["backend"] != "tensorflow":
        text = f"Keras runs on {value['backend']}, this package on TensorFlow alone"
        yield problem("import", text, BACKEND_REMEDY)
    else:
        yield ok("import", "TensorFlow and Keras can be imported; Keras' backend is TensorFlow")


def installed_versions() -> dict[str, str]:
    """Return the versions that are installed, without an import."""
    found = {}
    for name in (*NAMES, *OTHER_TENSORFLOWS):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _requirements() -> list[str]:
    try:
        return metadata.requires(PACKAGE) or []
    except metadata.PackageNotFoundError:  # a checkout that was never installed
        return []
