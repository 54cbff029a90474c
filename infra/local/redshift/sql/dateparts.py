"""The names of date parts. Source: "Date parts for date or timestamp functions"."""

from sqlglot import exp

from infra.local.redshift.actions import Unsupported

_NAMES = {
    "millennium": "millennia mil mils",
    "century": "centuries c cent cents",
    "decade": "decades dec decs",
    "year": "years y yr yrs",
    "quarter": "quarters qtr qtrs",
    "month": "months mon mons",
    "week": "weeks w",
    "day": "days d",
    "hour": "hours h hr hrs",
    "minute": "minutes m min mins",
    "second": "seconds s sec secs",
    "millisecond": "milliseconds ms msec msecs msecond mseconds millisec millisecs millisecon",
    "microsecond": "microseconds microsec microsecs usecond useconds us usec usecs",
    "epoch": "",
    "dow": "dayofweek dw weekday",
    "doy": "dayofyear dy yearday",
}
_PARTS = {name: part for part, names in _NAMES.items() for name in (part, *names.split())}
_PARTS_OF_MOMENTS = {"epoch", "dow", "doy"}  # not lengths of time: nothing can be added or truncated by them


def date_part(part: exp.Expr, function: str) -> str:
    """The part's first name. Raises Unsupported."""
    found = _PARTS.get(part.name.lower()) if isinstance(part, exp.Column | exp.Literal | exp.Var) else None
    if found is None:
        raise Unsupported(f"{function.upper()} with the date part {part.sql()[:40]} is not translated")
    if found in _PARTS_OF_MOMENTS and function in ("dateadd", "datediff", "date_trunc"):
        raise Unsupported(f"date part {found} is not supported by {function.upper()}", sqlstate="22023")
    return found
