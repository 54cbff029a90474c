"""Errors that every process knows by the reaction that they ask for."""


class ConfigError(Exception):
    """Stop, and tell the operator what to change: the message is one line that says so."""


class StreamAbsent(ConfigError):
    """There is no stream, or topic, of the name that is set."""
