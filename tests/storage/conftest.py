"""A machine of its own for every test: an empty cache, and a store that others have not seen."""

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from lightning_tf.storage.location import CACHE


class SwitchedFileSystem(MemoryFileSystem):
    """A store in memory that can be away."""

    protocol = "switched"
    store = {}  # noqa: RUF012 -- as in the class above
    pseudo_dirs = [""]  # noqa: RUF012
    away = False

    @classmethod
    def _strip_protocol(cls, path):
        return super()._strip_protocol(path.replace("switched://", "memory://"))

    def info(self, *args, **kwargs):
        self._answer()
        return super().info(*args, **kwargs)

    def _answer(self):
        if type(self).away:
            raise ConnectionError("the store does not answer")

    def pipe_file(self, *args, **kwargs):
        self._answer()
        return super().pipe_file(*args, **kwargs)

    def _open(self, *args, **kwargs):
        self._answer()
        return super()._open(*args, **kwargs)

    def cat_file(self, *args, **kwargs):
        self._answer()
        return super().cat_file(*args, **kwargs)

    def ls(self, *args, **kwargs):
        self._answer()
        return super().ls(*args, **kwargs)


@pytest.fixture(autouse=True)
def _machine(monkeypatch, tmp_path):
    monkeypatch.setenv(CACHE, str(tmp_path / "machine_0"))


@pytest.fixture(autouse=True)
def _empty_store():
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]
    yield
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]


@pytest.fixture
def other_machine(monkeypatch, tmp_path):
    """A function after which this process has nothing of the store."""

    def change(name="machine_1"):
        monkeypatch.setenv(CACHE, str(tmp_path / name))

    return change


@pytest.fixture
def switched():
    """A store under switched:// that is away while its attribute `away` is True."""
    fsspec.register_implementation("switched", SwitchedFileSystem, clobber=True)
    SwitchedFileSystem.store.clear()
    SwitchedFileSystem.pseudo_dirs[:] = [""]
    SwitchedFileSystem.away = False
    yield SwitchedFileSystem
    SwitchedFileSystem.away = False
