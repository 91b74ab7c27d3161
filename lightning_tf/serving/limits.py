"""Limits: what a request may hold at most."""

from dataclasses import dataclass

from lightning_tf.checks import checked_integer, is_number
from lightning_tf.exceptions import ConfigurationError

MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Limits:
    """What a request may hold at most; nothing larger is decoded.

    Attributes:
        max_batch: Instances, or files.
        max_body_mb: Megabytes of the body.
        max_pixels: Pixels of all images together, as their headers say.
        max_text: Characters of a text or of a cell.

    Raises:
        ConfigurationError: A limit is no positive number.

    Example:
        >>> Limits(max_body_mb=0.5).max_body
        500000
    """

    max_batch: int = 64
    max_body_mb: float = 10
    max_pixels: int = 64_000_000
    max_text: int = 100_000

    def __post_init__(self) -> None:
        """Check them."""
        for name in ("max_batch", "max_pixels", "max_text"):
            checked_integer(name, getattr(self, name), 1)
        if not is_number(self.max_body_mb) or not 0 < self.max_body_mb < float("inf"):
            raise ConfigurationError(f"max_body_mb={self.max_body_mb!r}: give a positive number.")

    @property
    def max_body(self) -> int:
        """Return the bytes of a body."""
        return int(self.max_body_mb * MEGABYTE)
