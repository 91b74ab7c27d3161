import subprocess

from lightning_tf.callbacks.common.run_metadata import git_state, package_versions


def git(folder, *arguments):
    settings = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "init.defaultBranch=b")
    command = ["git", *settings, "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_versions_of_what_the_numbers_depend_on_are_known():
    assert {"python", "keras", "tensorflow", "numpy", "lightning_tf"} <= set(package_versions())


def test_the_state_of_a_repository_is_commit_branch_and_changes(tmp_path):
    assert git_state(tmp_path) == {}
    git(tmp_path, "init")
    (tmp_path / "a").write_text("1")
    git(tmp_path, "add", "a")
    git(tmp_path, "commit", "-m", "a")
    commit = git(tmp_path, "rev-parse", "HEAD")
    assert git_state(tmp_path) == {"commit": commit, "branch": "b", "dirty": False}
    (tmp_path / "a").write_text("2")
    assert git_state(tmp_path)["dirty"] is True
