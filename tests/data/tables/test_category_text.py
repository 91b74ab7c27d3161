"""Categories as text: what means the same is one category, in Python and in an exported graph."""

import pandas as pd
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from lightning_tf.data.tables.category_text import common_form, graph_form
from lightning_tf.data.tables.feature_columns import FeatureColumns

SAME = {
    "numbers": ([1, 2], [(2, 2), (2.0, 2), ("2", 2), ("2.0", 2), ("02", 2), (" 2 ", 2), (3, 0)]),
    "fractions": ([0.5, 2.0], [("0.50", 1), (0.5, 1), ("00.5", 1), (2, 2), ("5", 0)]),
    "truth": ([True, False], [(True, 2), (1, 2), ("true", 2), ("TRUE", 2), ("1.0", 2), (0, 1)]),
    "truth, some written 0": (["0", "True"], [(False, 1), ("false", 1), (1, 2), (0, 1)]),
    "codes": (["01067", "80331"], [("01067", 1), (1067, 1), (1067.0, 1), ("80331", 2)]),
    "names": (["Rom", "02"], [("02", 1), ("2", 0), ("rom", 0), ("Rom", 2)]),
}


@pytest.mark.parametrize("kind", sorted(SAME))
def test_what_means_the_same_is_one_category(kind):
    learnt, asked = SAME[kind]
    table = pd.DataFrame({"c": learnt})
    columns = FeatureColumns.from_table(table, ["c"], roles=_names("c"))
    codes = [
        columns.arrays(pd.DataFrame({"c": pd.Series([cell], dtype=object)}))["categories"][0, 0]
        for cell, _ in asked
    ]
    numbers = {0: 0} | {code: code for code in (1, 2)}
    assert codes == [numbers[code] for _, code in asked]


def test_a_category_as_it_is_written_comes_before_one_that_means_the_same():
    columns = FeatureColumns([], {"c": ["2", "2.0"]})  # of a checkpoint from before
    table = pd.DataFrame({"c": ["2", "2.0", "02"]})
    assert columns.arrays(table)["categories"].ravel().tolist()[:2] == [1, 2]


@given(st.lists(st.text("0123456789.+- trueFALSEx", max_size=8), min_size=1, max_size=8))
def test_the_graph_writes_categories_as_python_does(cells):
    for known in (["1", "2.5"], ["False", "True"]):
        written = graph_form(known)(tf.constant(cells)).numpy()
        assert [cell.decode() for cell in written] == [common_form(known)(cell) for cell in cells]


def _names(*names):
    from lightning_tf.data.tables.column_roles import ColumnRoles

    return ColumnRoles(categories=list(names))
