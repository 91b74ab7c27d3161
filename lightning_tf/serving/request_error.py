"""RequestError: a request that cannot be answered, with the reason for the client."""

UNREADABLE, TOO_LARGE, WRONG_TYPE, WRONG_DATA = 400, 413, 415, 422  # codes of HTTP


class RequestError(Exception):
    """A request that cannot be answered.

    Args:
        status: The code of HTTP.
        detail: A sentence for the client, without paths of this machine.

    Example:
        >>> RequestError(413, "the body is larger than 10 MB.").status
        413
    """

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status, self.detail = status, detail
