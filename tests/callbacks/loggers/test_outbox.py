"""What an Outbox holds, and who has got it, after whatever happens."""

import pytest

from lightning_tf.callbacks.loggers.outbox import Outbox


def written(path, steps):
    outbox = Outbox(path)
    for step in steps:
        outbox.add(step, {"loss": float(step)})
    outbox.flush()
    return outbox


def steps(lines):
    return [line.step for line in lines]


def test_lines_are_read_in_their_order_and_from_where_the_receiver_is(tmp_path):
    outbox = written(tmp_path / "rows.jsonl", [1, 2, 3])
    lines = outbox.read(2)
    assert steps(lines) == [1, 2]
    assert lines[1].values == {"loss": 2.0}
    outbox.confirm(lines[-1].end)
    again = Outbox(tmp_path / "rows.jsonl")
    assert steps(again.read(100)) == [3]
    again.confirm(again.read(100)[-1].end)
    assert again.bytes_left == 0
    assert again.read(100) == []


def test_a_line_is_on_the_disk_when_asked_for_or_with_the_hundredth(tmp_path):
    outbox = Outbox(tmp_path / "new" / "rows.jsonl")
    for step in range(99):
        outbox.add(step, {})
    assert outbox.read(1000) == []
    outbox.add(99, {})
    assert len(outbox.read(1000)) == 100
    outbox.add(100, {})
    outbox.flush()
    assert len(outbox.read(1000)) == 101


def test_a_torn_last_line_is_cut_and_does_not_take_the_next_one_along(tmp_path):
    path = written(tmp_path / "rows.jsonl", [1]).path
    with path.open("a") as file:
        file.write('[2, 17, {"lo')
    assert steps(written(path, [3]).read(100)) == [1, 3]


def test_a_resumed_run_takes_out_what_it_measures_again_and_nobody_has(tmp_path):
    outbox = written(tmp_path / "rows.jsonl", range(1, 9))
    outbox.confirm(outbox.read(2)[-1].end)
    again = Outbox(outbox.path)
    held = again.resume(5)
    assert steps(again.read(100)) == [3, 4, 5]
    assert held.drop_held(5, {"loss": 5.0, "new": 1.0}) == {"new": 1.0}
    assert held.drop_held(6, {"loss": 6.0}) == {"loss": 6.0}
    superseded = outbox.path.with_name("superseded_rows.jsonl").read_text().splitlines()
    assert [line.split(",")[0] for line in superseded] == ["[6", "[7", "[8"]


def test_what_may_have_arrived_is_never_taken_out(tmp_path):
    outbox = written(tmp_path / "rows.jsonl", range(1, 7))
    outbox.trying(outbox.read(4)[-1].end)
    again = Outbox(outbox.path)
    held = again.resume(2)
    assert steps(again.read(100)) == [1, 2, 3, 4]
    assert held.drop_held(4, {"loss": 4.0}) == {}
    assert held.drop_held(5, {"loss": 5.0}) == {"loss": 5.0}


def test_a_disk_that_refuses_keeps_the_lines_for_later(tmp_path):
    (tmp_path / "file").write_text("")
    outbox = Outbox(tmp_path / "file" / "rows.jsonl")
    outbox.add(1, {"loss": 1.0})
    with pytest.raises(OSError, match="file"):
        outbox.flush()
    (tmp_path / "file").unlink()
    outbox.flush()
    assert steps(outbox.read(100)) == [1]
