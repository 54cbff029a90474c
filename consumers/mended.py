"""Which letters are dead, and which were mended: a letter that is sent again, and accepted, is dead no more.

It is the same line of the same file, so that an order or a hit with its origin tells. The letter's own row stays, as
history. In SQL that Redshift, DuckDB and Athena read.
"""


def letters_open(letters: str, *accepted: str) -> str:
    """The text of the view: the rows of `letters` whose line has not been accepted since.

    `accepted`: where such a line may lie. Among duplicates too: an event that came from elsewhere meanwhile.
    A letter counts by the verdict that came first, however often it was refused again. A foreign producer's record has
    no line: its letter stays.
    """
    again = " UNION ".join(
        f"SELECT origin_file, origin_offset FROM {table} WHERE origin_attempt > 0" for table in accepted
    )
    return (
        f"SELECT l.* FROM {letters} l LEFT JOIN ({again}) again"
        " ON again.origin_file = l.origin_file AND again.origin_offset = l.origin_offset"
        " WHERE again.origin_file IS NULL"
    )
