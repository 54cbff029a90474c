"""A hook before each effect on the outside world, by which tests record the order, or end the world there."""

from collections.abc import Callable

Effect = Callable[[str], None]  # called with an effect's name just before it


def no_effect(_: str) -> None:
    """What production passes: nobody watches."""
