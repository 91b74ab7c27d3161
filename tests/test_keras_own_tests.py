"""Keras' own tests that call fit, evaluate or predict, with these going through a Trainer.

The wheel of Keras ships them. What may fail stands in helpers/keras_tests.tsv with its reason, and
nothing else may.
"""

import csv
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import keras
import pytest
from helpers.paths import ROOT

KERAS = Path(keras.__file__).parent / "src"
TABLE = ROOT / "tests/helpers/keras_tests.tsv"
FILES = [
    *(f"callbacks/{path.name}" for path in sorted(KERAS.glob("callbacks/*_test.py"))),
    *(f"models/{path.name}" for path in sorted(KERAS.glob("models/*_test.py"))),
    *(f"optimizers/{path.name}" for path in sorted(KERAS.glob("optimizers/*_test.py"))),
    "trainers/trainer_test.py",
]
# orbax_checkpoint_test.py needs a package that is no dependency; its callback is no Keras' own.
FILES = [
    name
    for name in FILES
    if "orbax" not in name
    and any(
        f".{method}(" in (KERAS / name).read_text() for method in ("fit", "evaluate", "predict")
    )
]


def expected_failures():
    with TABLE.open() as table:
        return {row["test"]: row["reason"] for row in csv.DictReader(table, delimiter="\t")}


def results_of(file, tmp_path):
    """Return by test what the plugin reports, of the tests of a file that call fit and others."""
    report = tmp_path / "report.jsonl"
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")]),
        "FIT_BY_TRAINER_REPORT": str(report),
    }
    # Those of unrolled steps are about what Keras compiles, for minutes.
    command = [sys.executable, "-W", "ignore", "-m", "pytest", "-q", "-c", os.devnull]
    command += ["-k", "not unrolled"]
    command += ["--rootdir", str(KERAS), "-p", "helpers.fit_by_trainer", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, str(KERAS / file)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert report.exists(), done.stdout + done.stderr
    lines = [json.loads(line) for line in report.read_text().splitlines()]
    return {line["test"]: line for line in lines if line["calls"] and not line["skipped"]}


@pytest.mark.slow
@pytest.mark.parametrize("file", FILES)
def test_keras_tests_pass_through_the_trainer_but_for_the_listed(file, tmp_path):
    results = results_of(file, tmp_path)
    failed = {name: line for name, line in results.items() if not line["passed"]}
    listed = {name for name in expected_failures() if name.startswith(f"{file}::")}
    unlisted = {name: failed[name] for name in failed.keys() - listed}
    assert not unlisted, f"fail and are not listed: {json.dumps(unlisted, indent=1)}"
    assert not listed - failed.keys(), "are listed and pass: take them off the list"


def test_the_document_counts_the_listed_by_reason():
    reasons = Counter(expected_failures().values())
    text = (ROOT / "docs/from_keras.md").read_text().split("## Keras' own tests")[1]
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    assert {reason: int(count) for reason, count in rows[1:]} == dict(reasons)
    assert f"\n{reasons.total()} do not" in text
