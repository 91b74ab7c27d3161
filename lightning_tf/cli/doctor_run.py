"""doctor_run: what `lightning-tf doctor` does; TensorFlow is imported by its children alone."""

import argparse
import json
import sys
import textwrap
from collections import Counter
from typing import TYPE_CHECKING

from lightning_tf.exceptions import ConfigurationError

if TYPE_CHECKING:  # NumPy comes with them, and help needs none
    from lightning_tf.doctor.finding import Finding

WRONG_USE, FAILED, INTERRUPTED = 2, 1, 130  # exit codes
WIDTH, INDENT = 110, 28
WAIT_SECONDS, LONGEST_WAIT_SECONDS = 60.0, 86_400.0  # for the other workers


def doctor_run(options: argparse.Namespace) -> int:
    """Look at this machine and tell what was found.

    Args:
        options: Of the command line.

    Returns:
        The exit code: 0, 1 where there is a problem, 2 where the options are wrong.
    """
    from lightning_tf.doctor.doctor import Doctor, as_data
    from lightning_tf.doctor.worker_ports import parse_workers

    try:
        workers = parse_workers(options.workers) if options.workers else ()
    except ConfigurationError as error:
        print(f"lightning-tf doctor: {error}", file=sys.stderr)
        return WRONG_USE

    if not 0 <= options.wait <= LONGEST_WAIT_SECONDS:  # nor NaN
        text = f"--wait {options.wait:g}: give seconds from 0 to {LONGEST_WAIT_SECONDS:g}"
        print(f"lightning-tf doctor: {text}", file=sys.stderr)
        return WRONG_USE

    doctor = Doctor(
        workers, wait_seconds=options.wait, train=options.train, expects_gpu=options.gpu
    )
    if not options.json:
        what = "about a minute, and much longer where kernels are compiled for a new GPU"
        print(f"lightning-tf doctor: this takes {what}", file=sys.stderr, flush=True)
    findings = []
    try:
        for finding in doctor.findings():
            findings.append(finding)
            if not options.json:
                print(line(finding), flush=True)
    except KeyboardInterrupt:
        print("lightning-tf doctor: Ctrl-C: it ends here.", file=sys.stderr)
        return INTERRUPTED

    counts = Counter(finding.status for finding in findings)
    code = FAILED if counts["problem"] else 0
    if options.json:
        print(json.dumps({"findings": as_data(findings), "exit_code": code}, indent=2))
    else:
        print(
            f"\n{len(findings)} lines, {counts['problem']} problems, {counts['warning']} warnings."
        )
    return code


def line(finding: "Finding") -> str:
    """Return a finding as the terminal shows it, its remedy in a line of its own."""
    space = " " * INDENT
    head = f"{finding.status:8} {finding.name}"
    text = textwrap.fill(finding.text, WIDTH, initial_indent=space, subsequent_indent=space)
    lines = [f"{head:{INDENT - 1}} {text[INDENT:]}"]
    if finding.remedy:
        remedy = f"-> {finding.remedy}"
        indent = f"{space}   "
        lines.append(textwrap.fill(remedy, WIDTH, initial_indent=space, subsequent_indent=indent))
    return "\n".join(lines)


def add_doctor(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command and its options."""
    text = "tell whether this machine can train, and what to do where it cannot"
    doctor = commands.add_parser(
        "doctor",
        help=text,
        description=f"{text.capitalize()}: versions, driver, GPUs and why TensorFlow sees none, "
        "CUDA's libraries, folders, W&B, workers, and ten seconds of training. Ends with 1 where "
        "there is a problem.",
    )
    doctor.add_argument("--gpu", action="store_true", help="expect a GPU: none is a problem")
    doctor.add_argument(
        "--workers",
        metavar="HOST:PORT,...",
        help="connect to these, as they do; run the same command on each of them",
    )
    doctor.add_argument(
        "--wait",
        type=float,
        default=WAIT_SECONDS,
        metavar="SECONDS",
        help="for the other workers, %(default)s",
    )
    doctor.add_argument(
        "--no-train", dest="train", action="store_false", help="leave out the training"
    )
    doctor.add_argument("--json", action="store_true", help="print JSON")
