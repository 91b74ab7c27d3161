"""TextInstances: texts, and text files of one text each."""

from typing import Any

from lightning_tf.serving.instances import Instances, checked_text
from lightning_tf.serving.request_error import WRONG_TYPE, RequestError


class TextInstances(Instances):
    """Texts."""

    wanted = "a text"
    files = "text files (UTF-8), each one text"

    def schema(self) -> dict[str, Any]:
        """Return JSON Schema of an instance."""
        return {"type": "string", "maxLength": self.limits.max_text}

    def example(self) -> Any:
        """Return a text."""
        return "a short text"

    def checked(self, value: Any) -> Any:
        """Return a text."""
        return checked_text(value, self.limits.max_text)

    def of_file(self, name: str, content: bytes) -> Any:
        """Return the text of a file."""
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise RequestError(WRONG_TYPE, "it is no text in UTF-8.") from None
        return checked_text(text, self.limits.max_text)
