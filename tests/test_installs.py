"""What an install asks for: bounds that are tested, and versions that fit beside other packages."""

import re
import tomllib

from helpers.paths import ROOT
from packaging.requirements import Requirement
from packaging.version import Version

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
TESTED = ("datasets", "onnx", "tune")  # the extras that the default tests use


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
