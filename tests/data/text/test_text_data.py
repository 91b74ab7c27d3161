"""text_data resolves what a user writes as data=."""

import pandas as pd
import pytest
from helpers.boring import named
from helpers.texts import texts

from lightning_tf import DataModule
from lightning_tf.data import BbcNews, TextArrays, TextFolder, TextTable, TfdsTexts, text_data
from lightning_tf.data.text.text_data import takes_class_names
from lightning_tf.exceptions import ConfigurationError


def test_every_way_of_writing_finds_its_source(tmp_path, monkeypatch):
    monkeypatch.delenv("LIGHTNING_TF_DATA", raising=False)
    pd.DataFrame({"text": ["a"], "label": [1]}).to_csv(tmp_path / "t.csv.gz")
    module = DataModule()
    assert text_data(module) is module
    for data, source in (
        ("bbc_news", BbcNews),
        ("imdb", TfdsTexts),
        ("tfds:imdb_reviews", TfdsTexts),
        (tmp_path, TextFolder),
        (tmp_path / "t.csv.gz", TextTable),
        (texts(), TextArrays),
    ):
        assert type(text_data(data, batch_size=7)) is source
        assert text_data(data, batch_size=7).batch_size == 7


def test_sources_with_classes_of_their_own_are_not_told_them():
    assert takes_class_names(texts())
    assert not takes_class_names("bbc_news")
    assert not takes_class_names("tfds:imdb_reviews")
    assert not takes_class_names(DataModule())


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        ("bbc_new", {}, "Did you mean 'bbc_news'"),
        ("gone.csv", {}, "that is there"),
        (3, {}, "data is a int"),
        ("bbc_news", {"text_column": "x"}, "text_column='x' has no meaning for data='bbc_news'"),
        (("a", [1]), {"val_fracton": 0.1}, "Did you mean 'val_fraction'"),
        (DataModule(), {"batch_size": 3}, "set batch_size on it"),
    ],
    ids=named,
)
def test_what_cannot_be_is_refused(data, options, message):
    with pytest.raises(ConfigurationError, match=message):
        text_data(data, **options)
