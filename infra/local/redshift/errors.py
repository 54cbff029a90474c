"""What a statement or a start can fail with."""


class SqlError(Exception):
    """A statement failed; the client gets it as an ErrorResponse and its transaction is aborted."""

    def __init__(self, sqlstate: str, message: str, *, detail: str | None = None, hint: str | None = None) -> None:
        """`sqlstate` is the five characters of the client's field C."""
        super().__init__(message)
        self.sqlstate = sqlstate
        self.message = message
        self.detail = detail
        self.hint = hint


class BackendError(SqlError):
    """PostgreSQL refused a statement (its transaction, if it had one, is aborted) or, if `fatal`, the session."""

    def __init__(
        self, sqlstate: str, message: str, *, detail: str | None = None, hint: str | None = None, fatal: bool = False
    ) -> None:
        super().__init__(sqlstate, message, detail=detail, hint=hint)
        self.fatal = fatal


class BackendGone(Exception):
    """The connection to PostgreSQL broke: the session ends."""


class SessionEnded(BackendGone):
    """PostgreSQL ended the session, and the client has been told why."""


class ClientGone(Exception):
    """The client went away: its transaction is rolled back and the session ends."""


class Stopped(Exception):
    """The front is to end before it has started."""


class StartError(Exception):
    """The front cannot start; the message says what to change."""
