import pytest

from lightning_tf.callbacks.wandb.journal import HeldRows, Row, WandbJournal


def written(folder, steps, name="loss"):
    journal = WandbJournal(folder)
    journal.begin(journal.first_new, None)
    for step in steps:
        journal.add(step, {name: float(step), "image": len})
    journal.flush()
    return journal


def test_rows_are_numbered_over_processes(tmp_path):
    assert written(tmp_path, [1, 2]).newest_number == 1
    assert written(tmp_path, [3]).newest_number == 2
    rows = WandbJournal(tmp_path).read_rows()
    assert rows[2] == Row(2, 3, {"loss": 3.0, "image": None})
    assert [row.number for row in rows] == [0, 1, 2]


def test_what_w_and_b_lost_before_the_checkpoint_is_sent_and_later_updates_are_not(tmp_path):
    written(tmp_path, [1, 2, 3, 4, 5, 6])
    journal = WandbJournal(tmp_path)
    lost, held = journal.begin(2, 4)  # W&B has the rows of updates 1 and 2
    assert [(row.number, row.step) for row in lost] == [(2, 3), (3, 4)]
    assert lost[0].values == {"loss": 3.0}  # the image is gone
    assert held.drop_held(5, {"loss": 5.0}) == {"loss": 5.0}
    journal.add(5, {"loss": 5.5})
    journal.flush()
    assert [(row.number, row.step) for row in WandbJournal(tmp_path).read_rows()] == [
        (0, 1), (1, 2), (2, 3), (3, 4), (6, 5)
    ]  # fmt: skip


def test_what_w_and_b_has_of_later_updates_is_not_sent_again(tmp_path):
    written(tmp_path, [1, 2, 3, 4, 5, 6])
    journal = WandbJournal(tmp_path)
    lost, held = journal.begin(5, 3)  # and those of 3, 4 and 5
    journal.flush()
    assert lost == []
    assert held.last_step == 5
    assert held.drop_held(4, {"loss": 4.0, "new": 1.0}) == {"new": 1.0}
    assert held.drop_held(6, {"loss": 6.0}) == {"loss": 6.0}


def test_a_second_resume_knows_what_the_first_one_sent(tmp_path):
    written(tmp_path, [1, 2, 3, 4])
    second = WandbJournal(tmp_path)
    second.begin(2, 2)
    for step in (3, 4, 5):
        second.add(step, {"loss": step + 0.5})
    second.flush()
    third = WandbJournal(tmp_path)
    lost, held = third.begin(6, 3)  # numbers 4 and 5: updates 3 and 4
    third.flush()
    assert lost == []
    assert held.drop_held(4, {"loss": 4.5}) == {}
    assert held.drop_held(5, {"loss": 5.5}) == {"loss": 5.5}


def test_numbers_make_room_for_what_others_have_logged(tmp_path):
    journal = WandbJournal(tmp_path)
    journal.begin(10, None)  # the folder was lost: W&B has ten rows
    number = journal.add(7, {"loss": 1.0})
    assert journal.to_wandb_step(number) == 10
    number = journal.add(8, {"loss": 1.0})
    journal.shift(number, 15)
    assert journal.to_wandb_step(number) == 15
    journal.flush()
    assert [row.number for row in WandbJournal(tmp_path).read_rows()] == [10, 15]


def test_a_torn_last_line_is_left_out(tmp_path):
    journal = written(tmp_path, [1, 2])
    with journal.path.open("a") as file:
        file.write('[2, 3, {"lo')
    assert [row.step for row in WandbJournal(tmp_path).read_rows()] == [1, 2]


def test_a_torn_line_does_not_take_the_next_one_along(tmp_path):
    journal = written(tmp_path, [1, 2])
    with journal.path.open("a") as file:
        file.write('[2, 3, {"lo')
    written(tmp_path, [3, 4])
    assert [row.step for row in WandbJournal(tmp_path).read_rows()] == [1, 2, 3, 4]


def test_rows_are_written_a_hundred_at_once_or_when_asked(tmp_path):
    journal = WandbJournal(tmp_path)
    for step in range(99):
        journal.add(step, {"loss": 1.0})
    assert not journal.path.exists()
    journal.add(99, {"loss": 1.0})
    assert len(journal.read_rows()) == 100
    journal.add(100, {"loss": 1.0})
    assert len(journal.read_rows()) == 100
    journal.flush()
    assert len(journal.read_rows()) == 101


def test_a_disk_that_refuses_is_told_and_uses_up_the_number(tmp_path):
    folder = tmp_path / "file"
    folder.write_text("")
    journal = WandbJournal(folder / "run")
    with pytest.raises(OSError, match="file"):
        journal.add(1, {})
    assert journal.newest_number == 0
    with pytest.raises(OSError, match="file"):
        journal.flush()
    journal.flush()  # the row is not tried again


def test_where_no_journal_tells_everything_up_to_an_update_is_held():
    held = HeldRows(up_to=3)
    assert held.drop_held(3, {"loss": 1.0}) == {}
    assert held.drop_held(4, {"loss": 1.0}) == {"loss": 1.0}
