"""check_extra: whether the packages of the extra `serve` are there."""

from importlib.util import find_spec

from lightning_tf.exceptions import ConfigurationError

PACKAGES = {"fastapi": "fastapi", "uvicorn": "uvicorn", "python_multipart": "python-multipart"}


def check_extra() -> None:
    """Refuse to go on without them; imports nothing heavy.

    Raises:
        ConfigurationError: One is missing.
    """
    missing = [name for module, name in PACKAGES.items() if find_spec(module) is None]
    if missing:
        raise ConfigurationError(
            f"serving needs {', '.join(missing)}: pip install 'lightning-tf[serve]'"
        )
