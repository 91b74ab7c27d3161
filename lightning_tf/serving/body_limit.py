"""BodyLimit: refuses bodies that are too large while they come, whatever their headers say."""

from typing import Any

from lightning_tf.serving.json_answer import error_answer
from lightning_tf.serving.request_error import TOO_LARGE, WRONG_TYPE, RequestError

Message = dict[str, Any]
THROWN_AWAY = 8  # times the limit that are read of what is refused, so that the client hears of it


class BodyLimit:
    """Middleware of ASGI that counts the bytes of a body as they come.

    Args:
        app: What answers.
        max_body: Bytes.

    Example:
        >>> app.add_middleware(BodyLimit, max_body=10_000_000)
    """

    def __init__(self, app: Any, max_body: int) -> None:
        self._app, self._max_body = app, max_body

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        encoding = headers.get(b"content-encoding", b"identity").strip().lower()
        body = _CountedBody(receive, self._max_body)
        if encoding != b"identity":  # no compressed body is ever unpacked
            reason = "the body is compressed; send it as it is, without Content-Encoding."
            await self._refuse(RequestError(WRONG_TYPE, reason), body, scope, send)
            return

        length = headers.get(b"content-length", b"0")
        if length.isdigit() and int(length[:20]) > self._max_body:
            await self._refuse(body.too_large(), body, scope, send)
            return
        try:
            await self._app(scope, body.receive, send)
        except _BodyTooLarge:  # raised where the body is read, before anything is answered
            await self._refuse(body.too_large(), body, scope, send)

    async def _refuse(
        self, error: RequestError, body: "_CountedBody", scope: Any, send: Any
    ) -> None:
        await body.throw_away(THROWN_AWAY * self._max_body)
        await error_answer(error)(scope, body.receive, send)


class _BodyTooLarge(Exception):
    """No RequestError, which the application would answer while the client still sends."""


class _CountedBody:
    """A body whose bytes are counted."""

    def __init__(self, receive: Any, most: int) -> None:
        self._receive, self._most = receive, most
        self._seen, self._is_read = 0, False

    def too_large(self) -> RequestError:
        return RequestError(
            TOO_LARGE,
            f"the body is larger than {self._most / 1e6:g} MB; send less at once, or start the "
            "server with a larger --max_body_mb.",
        )

    async def receive(self) -> Message:
        message = await self._next()
        if self._seen > self._most:
            raise _BodyTooLarge
        return message

    async def throw_away(self, most: int) -> None:
        while not self._is_read and self._seen <= most:
            await self._next()

    async def _next(self) -> Message:
        message: Message = await self._receive()
        self._seen += len(message.get("body", b""))
        self._is_read = not message.get("more_body", False)
        return message
