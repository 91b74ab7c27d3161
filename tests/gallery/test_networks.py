"""The page of the networks has the numbers that are counted, and the ladder's."""

import re

import pytest
from helpers.paths import ROOT

from lightning_tf.gallery.networks import NETWORKS, built, markdown_table, size_of


@pytest.fixture(scope="module")
def sizes():
    return {name: size_of(built(name)) for name in NETWORKS}


def test_the_table_of_the_page_is_what_is_counted(sizes):
    page = (ROOT / "docs/gallery/networks.md").read_text(encoding="utf-8")
    assert markdown_table(sizes) in page


def test_weights_and_accuracies_are_the_ladders(sizes):
    ladder = (ROOT / "docs/cifar10_ladder.md").read_text(encoding="utf-8")
    for name, network in NETWORKS.items():
        row = re.search(rf"^\| {name} \| ([\d,]+) \| 10,000 \| ([\d.]+) \|", ladder, re.MULTILINE)
        assert int(row[1].replace(",", "")) == sizes[name].weights
        assert float(row[2]) == network.accuracy
