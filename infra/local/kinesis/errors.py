"""AWS's errors by name, as a client meets them, and the error that keeps the server from starting.

A client error is HTTP 400 with `{"__type": NAME, "message": ...}`; boto3 turns NAME into an exception class.
"""


class KinesisError(Exception):
    """A refused request. `name` is AWS's name of the error, `status` the HTTP status that carries it."""

    def __init__(self, name: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.name = name
        self.message = message
        self.status = status


class StartError(Exception):
    """The server cannot start: the message is one line that says what to change."""


def not_found(what: str) -> KinesisError:
    return KinesisError("ResourceNotFoundException", what)


def in_use(what: str) -> KinesisError:
    return KinesisError("ResourceInUseException", what)


def invalid(what: str) -> KinesisError:
    """An argument that is well formed and cannot be meant."""
    return KinesisError("InvalidArgumentException", what)


def constraint(member: str, rule: str) -> KinesisError:
    """A member that breaks a constraint of the service model, worded as AWS words it."""
    return KinesisError(
        "ValidationException", f"1 validation error detected: Value at '{member}' failed to satisfy constraint: {rule}"
    )


def serialization(what: str) -> KinesisError:
    """A body that is not the JSON of the operation: syntax, types, base64."""
    return KinesisError("SerializationException", what)


def unknown_operation(target: str) -> KinesisError:
    return KinesisError("UnknownOperationException", f"no operation {target!r}")


def expired_iterator(what: str) -> KinesisError:
    return KinesisError("ExpiredIteratorException", what)


def throttled(what: str) -> KinesisError:
    return KinesisError("ProvisionedThroughputExceededException", what)


def limit_exceeded(what: str) -> KinesisError:
    return KinesisError("LimitExceededException", what)


def internal(what: str) -> KinesisError:
    return KinesisError("InternalFailure", what, status=500)
