import csv

import pytest

from lightning_tf.callbacks.loggers.csv_table import CSVTable


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.reader(file))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "metrics.csv"


def test_what_comes_at_one_step_is_one_row(path):
    table = CSVTable(path)
    table.add(5, {"a": 0.5})
    table.add(5, {"b": 0.25})
    table.add(6, {"a": 1.0})
    table.flush()
    assert rows_of(path) == [["step", "a", "b"], ["5", "0.5", "0.25"], ["6", "1.0", ""]]


def test_the_last_row_goes_on_after_a_flush(path):
    table = CSVTable(path, ("epoch",))
    for values in ({"epoch": 0, "a": 1.0}, {"a": 2.0}, {"b": 3.0}):
        table.add(5, values)
        table.flush()
    table.add(7, {"a": 4.0})
    table.flush()
    assert rows_of(path) == [
        ["step", "epoch", "a", "b"],
        ["5", "0", "2.0", "3.0"],
        ["7", "", "4.0", ""],
    ]


def test_a_late_column_keeps_every_value_that_is_there(path):
    table = CSVTable(path)
    for step in range(4):
        table.add(step, {"a": step / 10})
        table.flush()
    table.add(9, {"late": 'with "quotes", and a comma'})
    table.flush()
    rows = rows_of(path)
    assert rows[0] == ["step", "a", "late"]
    assert [row[1] for row in rows[1:5]] == ["0.0", "0.1", "0.2", "0.3"]
    assert rows[5] == ["9", "", 'with "quotes", and a comma']


def test_numbers_come_back_exactly(path):
    numbers = [1 / 3, 1e-300, float("inf"), 0.8982401490211487]
    table = CSVTable(path)
    for step, number in enumerate(numbers):
        table.add(step, {"a": number})
    table.flush()
    assert [float(row[1]) for row in rows_of(path)[1:]] == numbers


def test_a_shorter_open_row_leaves_no_rest_of_the_longer_one(path):
    table = CSVTable(path)
    table.add(1, {"a": 0.123456789})
    table.flush()
    table.add(1, {"a": 0.5})
    table.flush()
    assert path.read_bytes() == b"step,a\r\n1,0.5\r\n"


def test_a_flush_without_news_does_not_touch_the_file(path):
    table = CSVTable(path)
    table.flush()
    assert not path.exists()
    table.add(1, {"a": 1.0})
    table.flush()
    path.write_text("changed by somebody")
    table.flush()
    assert path.read_text() == "changed by somebody"


def test_a_file_that_is_there_is_continued(path):
    first = CSVTable(path, ("epoch",))
    first.add(1, {"epoch": 0, "a": 0.1})
    first.add(2, {"epoch": 0, "a": 0.2})
    first.flush()
    second = CSVTable(path, ("epoch",))
    assert second.last_step == 2
    second.add(2, {"b": 7.0})
    second.add(3, {"epoch": 1, "a": 0.3})
    second.flush()
    assert rows_of(path) == [
        ["step", "epoch", "a", "b"],
        ["1", "0", "0.1", ""],
        ["2", "0", "0.2", "7.0"],
        ["3", "1", "0.3", ""],
    ]


def test_a_row_cut_off_by_a_crash_is_completed(path):
    path.write_bytes(b"step,a,b\r\n1,0.1,0.2\r\n2,0.3")
    table = CSVTable(path)
    table.add(2, {"b": 0.4})
    table.flush()
    assert rows_of(path) == [["step", "a", "b"], ["1", "0.1", "0.2"], ["2", "0.3", "0.4"]]


def test_later_steps_move_to_another_table(path):
    table = CSVTable(path)
    for step in (1, 2, 3, 4):
        table.add(step, {"a": float(step)})
    table.drop_after(2, path.with_name("later.csv"))
    table.add(2, {"b": 9.0})
    table.add(3, {"a": 33.0})
    table.flush()
    assert rows_of(path) == [
        ["step", "a", "b"],
        ["1", "1.0", ""],
        ["2", "2.0", "9.0"],
        ["3", "33.0", ""],
    ]
    assert rows_of(path.with_name("later.csv")) == [["step", "a"], ["3", "3.0"], ["4", "4.0"]]


def test_rows_survive_a_disk_that_refuses_once(path):
    table = CSVTable(path)
    path.mkdir()  # no file can be written in its place
    table.add(1, {"a": 1.0})
    with pytest.raises(IsADirectoryError):
        table.flush()
    path.rmdir()
    table.flush()
    assert rows_of(path) == [["step", "a"], ["1", "1.0"]]
