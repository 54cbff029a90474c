"""docs/reasons.md, made of the reasons themselves."""

from contract.reasons import Reason

_HEAD = """\
# Why a line is refused

Every line ends as a row or as a *dead letter*; a letter has all its reasons, the decisive one first, and letters are
counted by that one. The list is closed: these are all the reasons that there are. Each example is one line, refused for
its reason alone by a shop that sells 85123A at 255 and 71053 at 339, GBP, in minor units. Bytes that are not UTF-8 are
shown as `\\xe9`.

`python -m consumers reasons` prints this page. It is made of `contract/reasons.py`.
"""
_NO_EXAMPLE = "No line shows it by itself."


def page() -> str:
    """The page, as Markdown."""
    return "\n".join([_HEAD, *map(_section, Reason)])


def _section(reason: Reason) -> str:
    example = _NO_EXAMPLE if reason.example is None else _block(reason.example.line)
    return f"## {reason.value}\n\n{reason.meaning}\n\n**What to do.** {reason.advice}\n\n{example}\n"


def _block(line: bytes) -> str:
    return f"```\n{line.decode(errors='backslashreplace')}\n```"
