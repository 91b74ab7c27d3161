"""Small fits of every task give the same rows and checkpoints, bit for bit, every time."""

import pytest
from helpers.extras import NEWS
from helpers.paths import TESTS
from helpers.variants import slow_but
from helpers.witness import CASES, witness

NAMES = (TESTS / "helpers" / "witness_names.txt").read_text().splitlines()
QUICK = ("tabular", "regression", "keras_task", "style_optimize", "image_accumulated")


def names(lines):
    """Return lines without the digests, which depend on a processor's rounding."""
    return [line.rpartition(" ")[0] for line in lines]


def expected(case):
    return [line for line in NAMES if line.startswith(f"{case} ")]


@pytest.mark.parametrize("case", slow_but(QUICK, "keras_task", "style_optimize"))
def test_two_fits_of_a_seed_are_equal_to_the_letter_and_named_as_ever(case, tmp_path):
    first, second = (witness(case, tmp_path / name) for name in ("first", "second"))
    assert first == second
    assert names(first) == expected(case)


@pytest.mark.slow
@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, marks=[NEWS] * case.startswith("text_"))
        for case in sorted(set(CASES) - set(QUICK))
    ],
)
def test_rows_and_tensors_are_named_as_ever(case, tmp_path):
    assert names(witness(case, tmp_path)) == expected(case)


@pytest.mark.slow
def test_a_fit_in_two_goes_ends_with_the_weights_of_one(tmp_path):
    lines = witness("image_accumulated", tmp_path)
    tensors = [line for line in lines if " tensor " in line]
    assert tensors[: len(tensors) // 2] == tensors[len(tensors) // 2 :]
