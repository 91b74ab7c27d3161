"""Finding: one line of the doctor."""

from __future__ import annotations

from dataclasses import dataclass

OK, WARNING, PROBLEM = "ok", "warning", "problem"


@dataclass(frozen=True)
class Finding:
    """What a check found, and what to do about it.

    Attributes:
        name: Of the check.
        status: ``ok``, ``warning`` or ``problem``.
        text: What was found.
        remedy: What to do; empty where nothing is to be done.

    Example:
        >>> Finding("driver", "problem", "no driver is loaded", "install one").status
        'problem'
    """

    name: str
    status: str
    text: str
    remedy: str = ""


def ok(name: str, text: str) -> Finding:
    """Return a finding that asks for nothing."""
    return Finding(name, OK, text)


def warning(name: str, text: str, remedy: str) -> Finding:
    """Return a finding with which one can train."""
    return Finding(name, WARNING, text, remedy)


def problem(name: str, text: str, remedy: str) -> Finding:
    """Return a finding that keeps this machine from training as it should."""
    return Finding(name, PROBLEM, text, remedy)
