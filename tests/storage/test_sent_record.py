from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lightning_tf.storage.location import local_path
from lightning_tf.storage.sent_record import SentRecord


def test_what_several_threads_note_at_once_is_all_remembered():
    folder = Path(local_path("dirpath", "memory://bucket/run"))
    names = [f"{number}.csv" for number in range(40)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda name: SentRecord(folder).note(name, [1, 2], name), names))
    record = SentRecord(folder)
    assert [record.digest(name) for name in names] == names

    record.forget("3.csv")
    assert SentRecord(folder).stamp("3.csv") is None
    assert SentRecord(folder).stamp("4.csv") == [1, 2]


def test_a_record_that_was_cut_knows_nothing(tmp_path):
    folder = Path(local_path("dirpath", "memory://bucket/run"))
    SentRecord(folder).note("a", [1], "b")
    [file] = tmp_path.rglob("sent.json")
    file.write_text('{"a": {"st')
    assert SentRecord(folder).digest("a") is None
