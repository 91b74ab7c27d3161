"""CSV and TSV files: every field stands under its own name."""

import pytest

from lightning_tf.data import FeatureTable, TextTable, time_series_data
from lightning_tf.data.sources.csv_file import read_csv_file
from lightning_tf.exceptions import DataError


def write(path, *rows):
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.mark.parametrize(
    "rows",
    [
        ["a,b", "1,2,3", "4,5,6"],
        ["a,b", "1,2,3", "4,5"],
        ["a,b", "1,2", "4,5,6"],
        ["a,b", "x, y,2", "x,2"],
    ],
    ids=["all", "first", "later", "text"],
)
@pytest.mark.parametrize("ending", ["csv", "tsv"])
def test_rows_with_more_fields_than_the_header_are_refused(tmp_path, rows, ending):
    sep = "\t" if ending == "tsv" else ","
    path = write(tmp_path / f"t.{ending}", *[row.replace(",", sep) for row in rows])
    with pytest.raises(DataError, match=r"t\..sv cannot be read as a table.*sep="):
        read_csv_file(path)


def test_all_three_readers_refuse_a_shift(tmp_path):
    texts = write(
        tmp_path / "t.csv", "text,label", *[f"Great, {i},{'ab'[i % 2]}" for i in range(8)]
    )
    table = write(tmp_path / "f.csv", "rooms,price", *[f"{i},{i * 10},1" for i in range(40)])
    series = write(
        tmp_path / "s.csv", "day,sold", *[f"2020-01-{i + 1:02d},{i},7" for i in range(30)]
    )
    for data in (
        TextTable(texts),
        FeatureTable(table, target="price"),
        time_series_data(str(series), target="sold", history=4),
    ):
        with pytest.raises(DataError, match=r"more fields than the header|Expected 2 fields"):
            data.setup("fit")


def test_fields_that_are_empty_at_the_end_shift_nothing(tmp_path):
    table = read_csv_file(write(tmp_path / "t.csv", "a,b", "1,2,", "4,5,"))
    assert table.to_dict("list") == {"a": [1, 4], "b": [2, 5]}


def test_rows_with_fewer_fields_are_told(tmp_path, caplog):
    table = read_csv_file(write(tmp_path / "t.csv", "a,b,c", "1,2,3", "4", "5,6,7", "8,9"))
    assert table["a"].tolist() == [1, 4, 5, 8]
    assert "2 rows have fewer fields than the header, the first in line 3" in caplog.text


def test_a_quotation_mark_is_text_between_tabs_and_encloses_fields_between_commas(tmp_path):
    rows = ["text\tlabel", '"Great, he said\ta', "fine\tb", '"Why" not\ta', '"x" y "z"\tb']
    path = write(tmp_path / "t.tsv", *rows)
    assert read_csv_file(path)["text"].tolist() == [row.split("\t")[0] for row in rows[1:]]
    data = TextTable(path, val_fraction=0.0)
    data.setup("fit")
    assert len(data.splits["train"].indices) == 4
    quoted = write(tmp_path / "t.csv", "text,label", '"Great, he said",a', "fine,b")
    assert read_csv_file(quoted)["text"].tolist() == ["Great, he said", "fine"]


def test_quoting_settles_what_quotation_marks_are(tmp_path, caplog):
    path = write(tmp_path / "t.tsv", "text\tlabel", '"a\tb"\t"x"', '"c"\t"y"')
    table = read_csv_file(path, quoting=True)
    assert table["text"].tolist() == ["a\tb", "c"]
    caplog.clear()
    plain = write(tmp_path / "p.tsv", "text\tlabel", '"a"\t"x"', '"c"\t"y"')
    assert read_csv_file(plain)["text"].tolist() == ['"a"', '"c"']
    assert "every cell of 'text' is in quotation marks" in caplog.text
    marks = write(tmp_path / "m.csv", "text,label", '"open,a', "next,b")
    assert read_csv_file(marks, quoting=False)["text"].tolist() == ['"open', "next"]


@pytest.mark.parametrize(
    ("sep", "name"), [(";", "t.csv"), ("\t", "t.csv"), (",", "t.tsv"), ("|", "t.csv")]
)
def test_another_separator_is_named_and_can_be_passed(tmp_path, sep, name):
    path = write(tmp_path / name, sep.join(["text", "label"]), sep.join(["good", "a"]))
    with pytest.raises(DataError) as error:
        read_csv_file(path)
    assert f"pass sep={sep!r}" in str(error.value)
    assert read_csv_file(path, sep=sep)["label"].tolist() == ["a"]


def test_endings_count_in_any_case(tmp_path):
    path = write(tmp_path / "T.TSV", "text\tlabel", *[f"good {i}\t{'ab'[i % 2]}" for i in range(8)])
    data = TextTable(path)
    data.setup("fit")
    assert data.class_names == ["a", "b"]
