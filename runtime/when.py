"""Times as options of commands."""

import datetime as dt

import click
import msgspec


class When(click.ParamType[dt.datetime]):
    """A UTC day, or a time with its offset from UTC."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> dt.datetime:
        text = str(value)
        try:
            if len(text) == len("2026-11-27"):
                return dt.datetime.combine(dt.date.fromisoformat(text), dt.time(), dt.UTC)
            found = msgspec.convert(text, dt.datetime)
        except (ValueError, msgspec.ValidationError):
            found = None
        if found is None or found.tzinfo is None:
            self.fail(
                f"{text!r} is neither a day such as 2026-11-27 nor a time such as 2026-11-27T08:00:00Z", param, ctx
            )
        return found.astimezone(dt.UTC)
