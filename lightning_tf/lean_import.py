"""lean_import: TensorFlow and Keras, imported without what a job may never use."""

import gc
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import LazyLoader
from types import ModuleType

# Modules of Keras that import pandas, scikit-learn or matplotlib.pyplot where these are installed.
LAZY = {
    "keras.src.trainers.data_adapters.array_slicing",
    "keras.src.visualization",
    "keras.visualization",
    "keras.wrappers",
}


@contextmanager
def lean_import() -> Iterator[None]:
    """Import TensorFlow inside the ``with`` block, or nothing, at less cost than by itself.

    Python's collector of cycles pauses, which would walk through all modules again and again. Parts
    of Keras that import pandas, scikit-learn or matplotlib are executed when they are first used.
    TensorFlow keeps the memory of its tensors (`keep_memory`).

    Nothing is changed where TensorFlow or Keras were imported before.
    """
    if any(isinstance(finder, _LazyFinder) for finder in sys.meta_path):
        yield  # inside of another
        return
    if "tensorflow" in sys.modules or "keras" in sys.modules:
        yield
        return

    keep_memory()
    finder, collects = _LazyFinder(), gc.isenabled()
    sys.meta_path.insert(0, finder)
    gc.disable()
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        if collects:
            gc.enable()


def keep_memory() -> None:
    """Let TensorFlow keep a freed tensor's memory for the next one, unless the environment decides.

    Otherwise each tensor of more than 32 MiB is memory that the system maps, clears and takes back
    again: a quarter of the CPU time of a step of MobileNetV2 at 160 pixels. TensorFlow reads both
    variables when it makes its first tensor; processes that this one starts inherit them.
    """
    if "TF_CPU_ALLOCATOR_USE_BFC" not in os.environ:
        os.environ["TF_CPU_ALLOCATOR_USE_BFC"] = "true"
        # TensorFlow's limit is 64 GiB, whatever the machine has; the system's is to hold.
        os.environ.setdefault("TF_CPU_BFC_MEM_LIMIT_IN_MB", str(2**40 // 2**20))


class _LazyFinder(MetaPathFinder):
    """Finds modules of `LAZY` so that they are executed at the first use of an attribute."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(fullname, path, target) if fullname in LAZY else None
        if spec is not None and spec.loader is not None:
            spec.loader = LazyLoader(spec.loader)
        return spec
