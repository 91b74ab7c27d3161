"""What an install asks for: bounds that are tested, and versions that fit beside other packages."""

import os
import re
import subprocess
import sys
import tomllib

import pytest
from helpers.paths import ROOT
from packaging.requirements import Requirement
from packaging.version import Version

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
BESIDE = ("statsforecast", "sktime", "gluonts", "trackio", "mlflow")
HERE = "{}.{}".format(*sys.version_info)
# The extras that the default tests use.
TESTED = (
    "datasets",
    "excel",
    "grain",
    "mlflow",
    "onnx",
    "parquet",
    "remote",
    "serve",
    "tune",
)


def bounds():
    """Return the lower bound of every package that the default tests use."""
    extras = PROJECT["optional-dependencies"]
    wanted = [*PROJECT["dependencies"], *(line for name in TESTED for line in extras[name])]
    parsed = [Requirement(line) for line in wanted]
    return {item.name: lowest(item) for item in parsed}


def lowest(requirement):
    (version,) = (part.version for part in requirement.specifier if part.operator == ">=")
    return Version(version)


def test_the_oldest_versions_that_are_tested_are_the_lower_bounds():
    text = (ROOT / "constraints-oldest.txt").read_text().split("\n\n")[0]
    pinned = dict(re.findall(r"^([\w.-]+)==(\S+)", text, re.MULTILINE))
    assert {name: Version(version) for name, version in pinned.items()} == bounds()


@pytest.fixture(scope="module")
def pip(tmp_path_factory):
    """A function that runs the newest pip, which resolves much faster than old ones."""
    folder = tmp_path_factory.mktemp("pip")

    def run(*arguments):
        command = [sys.executable, "-m", "pip", *map(str, arguments)]
        environment = {**os.environ, "PYTHONPATH": str(folder)}
        return subprocess.run(command, env=environment, capture_output=True, text=True)

    done = run("install", "--quiet", "--target", folder, "pip")
    if done.returncode:
        pytest.skip(f"no registry is reached: {done.stderr.strip().splitlines()[-1]}")
    return run


@pytest.fixture(scope="module")
def wheels(pip, tmp_path_factory):
    """A folder with a wheel of what the registry has no wheel of."""
    folder = tmp_path_factory.mktemp("wheels")
    done = pip("wheel", "--no-deps", "--wheel-dir", folder, "promise")  # of tensorflow-datasets
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    ("python", "oldest"),
    # The oldest NumPy and pandas have no wheels for 3.13.
    [("3.11", True), ("3.11", False), ("3.12", True), ("3.12", False), ("3.13", False)],
)
def test_it_installs_beside_other_packages(python, oldest, pip, wheels, tmp_path):
    others = [*BESIDE, "torch==2.13.0"] if python == HERE == "3.11" else BESIDE
    constraint = ["-c", ROOT / "constraints-oldest.txt"] if oldest else []
    done = pip(
        *("install", "--dry-run", "--ignore-installed", "--target", tmp_path, "--quiet"),
        *("--python-version", python, "--only-binary", ":all:", "--find-links", wheels),
        *PROJECT["dependencies"],
        *others,
        *constraint,
    )
    assert done.returncode == 0, done.stderr
