import subprocess
import sys
from pathlib import Path

import pytest
from upath import UPath

from lightning_tf.exceptions import ConfigurationError
from lightning_tf.storage.location import (
    file_system,
    is_url,
    local_path,
    on_this_disk,
    portable,
    url_of,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("s3://bucket/run", True),
        ("gs://bucket", True),
        ("abfs+x.1-y://a/b", True),
        ("file:///tmp", True),
        (UPath("memory://bucket/run"), True),
        ("c://windows", False),
        ("runs/version_0", False),
        (Path("s3://bucket/run"), False),
        ("1s://x", False),
        (None, False),
        (3, False),
    ],
)
def test_a_url_has_a_scheme_of_rfc_3986(text, expected):
    assert is_url(text) is expected


def test_a_working_copy_and_its_url_follow_from_each_other():
    for url in ("memory://bucket/run", UPath("memory://bucket/run"), "memory://bucket/run/"):
        path = local_path("dirpath", url)
        assert url_of(path).endswith("memory://bucket/run".removeprefix("memory://"))
        assert portable(path) == url_of(path)
        assert on_this_disk(portable(path)) == path
        assert not Path(path).exists()
    assert Path(local_path("a", "memory://b/run/x")).parent == Path(
        local_path("a", "memory://b/run")
    )


def test_paths_of_this_disk_stay_what_they_are(tmp_path):
    assert local_path("x", str(tmp_path)) == str(tmp_path) == local_path("x", tmp_path)
    assert local_path("x", f"file://{tmp_path}/a%20b") == f"{tmp_path}/a b"
    assert local_path("x", UPath(tmp_path)) == str(tmp_path)
    assert local_path("x", "~") == str(Path.home())
    assert local_path("x", "a:b/c") == "a:b/c"
    assert url_of(tmp_path) is None
    assert portable(str(tmp_path)) == on_this_disk(str(tmp_path)) == str(tmp_path)


@pytest.mark.parametrize(
    ("path", "named"),
    [
        (Path("s3://bucket/run"), "pathlib"),
        ("nosuch://bucket/run", "nosuch"),
        ("memory://", "no folder"),
        ("1s://bucket/run", "no URL"),
        ("memory://a/../b", r"\.\."),
        ("simplecache::memory://a/b", "plain one"),
    ],
)
def test_what_no_path_can_mean_is_refused_by_name(path, named):
    with pytest.raises(ConfigurationError, match=named):
        local_path("dirpath", path)


def test_options_of_a_upath_reach_its_file_system():
    path = UPath("memory://bucket/options", skip_instance_cache=True, marked=1)
    local_path("dirpath", path)
    system, _ = file_system("memory://bucket/options/deeper")
    assert system.storage_options["marked"] == 1
    assert "marked" not in file_system("memory://bucket/other")[0].storage_options


def test_a_package_that_is_missing_is_named_with_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'lightning-tf\[remote\]'"):
        local_path("dirpath", "s3://bucket/run")


def test_fsspec_is_imported_for_urls_alone():
    program = (
        "import sys, lightning_tf.checks as c; c.checked_path('x', 'runs');"
        "assert not {'fsspec', 'upath', 'tensorflow'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_relative_path_behind_file_is_refused():
    with pytest.raises(ConfigurationError, match="file:///rel/one"):
        local_path("default_root_dir", "file://rel/one")
    assert local_path("default_root_dir", "file://localhost/rel/one") == "/rel/one"
