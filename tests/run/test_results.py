"""What validate and test return is a dict in everything but a notebook."""

import copy
import json
import pickle

from helpers.boring import BoringTask, quiet

from lightning_tf import Trainer
from lightning_tf.run.cross_validation import CrossValidation
from lightning_tf.run.results import Results


def test_results_are_a_dict():
    results = Trainer(**quiet(max_epochs=1)).test(BoringTask())
    plain = dict(results)
    assert results == plain
    assert repr(results) == repr(plain)
    assert json.dumps(results) == json.dumps(plain)
    assert type(results | {}) is dict


def test_results_are_pickled_and_copied():
    results = Results(test_loss=0.5)
    for again in (pickle.loads(pickle.dumps(results)), copy.deepcopy(results)):
        assert again == {"test_loss": 0.5}
        assert type(again) is Results


def test_results_are_a_table_with_escaped_names():
    html = Results({"<b>": 0.1234567})._repr_html_()
    assert "&lt;b&gt;" in html
    assert ">0.123457<" in html


def test_a_cross_validation_is_a_table_of_folds_mean_and_spread():
    html = CrossValidation([{"val_loss": 1.0}, {"val_loss": 3.0}])._repr_html_()
    assert html.count("<tr>") == 5
    for cell in ("val&#95;loss", "mean", "2.0000", "std", "1.4142"):
        assert f">{cell}<" in html
