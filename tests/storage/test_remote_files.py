from pathlib import Path

import fsspec
import pytest

from lightning_tf.cli.option_parser import OptionParser
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.storage.location import local_path, url_of
from lightning_tf.storage.remote_files import local_file, make_free

CONFIG = "memory://bucket/run/runs/version_0/config.yaml"


def put(content):
    fsspec.filesystem("memory").pipe("/bucket/run/runs/version_0/config.yaml", content)


def test_a_file_is_fetched_alone_and_anew_where_it_changed(tmp_path):
    fsspec.filesystem("memory").pipe("/bucket/run/runs/version_0/other.csv", b"1")
    put(b"one")
    file = Path(local_file("--config", CONFIG))
    assert url_of(file) == CONFIG
    put(b"two")
    assert Path(local_file("--config", CONFIG)).read_bytes() == b"two"
    assert [p.name for p in file.parent.iterdir()] == ["config.yaml"]
    assert local_file("--config", "runs/config.yaml") == "runs/config.yaml"


def test_options_are_read_from_a_url_and_a_missing_one_is_named():
    put(b"task: {class_path: ImageClassification, init_args: {data: digits}}")
    options = OptionParser("fit").parse(["--config", CONFIG, "--trainer.max_epochs", "2"])
    assert options.task.init_args.data == "digits"
    assert options.trainer.max_epochs == 2
    with pytest.raises(
        ConfigurationError, match=r"--config=memory://bucket/none\.yaml cannot be read"
    ):
        OptionParser("fit").parse(["--config=memory://bucket/none.yaml"])


def test_a_link_is_removed_and_what_it_points_to_stays(tmp_path):
    (tmp_path / "model").mkdir()
    target = Path(local_path("path", "memory://bucket/model"))
    target.parent.mkdir(parents=True)
    target.symlink_to(tmp_path / "model")
    make_free(target)
    assert not target.is_symlink()
    assert (tmp_path / "model").is_dir()
