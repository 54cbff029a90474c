"""Reading what a shopper sent."""

import re
from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.requests import Request

from producers.storefront.basket import AskAgain

LARGEST_FORM = 16 * 1024  # bytes; ours come to a few hundred
MOST_FIELDS = 20

_PAGE = re.compile(r"[1-9][0-9]{0,5}")


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a URL-encoded form; of a repeated field the last. Bytes that are not UTF-8 are replaced.

    Raises HTTPException 413 past 16 KiB and 400 past 20 fields. Any other content has no fields.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_FORM:
            raise HTTPException(413, "That form is too large.")
    try:
        fields = parse_qsl(
            body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="replace"
        )
    except ValueError as error:
        raise HTTPException(400, "That form has too many fields.") from error
    return dict(fields)


def page_number(text: str) -> int:
    """The page of search results asked for, from 1. Raises AskAgain for anything else."""
    if not _PAGE.fullmatch(text):
        raise AskAgain("page", "Pages are numbered from 1. Search again to start at the first one.")
    return int(text)
