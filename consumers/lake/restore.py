"""A catalogue that came back older than its tables: what it leads to is deleted by now, and newer metadata stands."""

import logging
import re
from contextlib import suppress

from pyarrow.fs import FileSelector
from pyiceberg.catalog.glue import GlueCatalog
from pyiceberg.exceptions import NoSuchTableError, TableAlreadyExistsError
from pyiceberg.io import load_file_io
from pyiceberg.io.pyarrow import PyArrowFileIO

from runtime.errors import ConfigError

_log = logging.getLogger(__name__)

_METADATA = re.compile(r"/(\d+)-[^/]+\.metadata\.json$")


def find_again(catalogue: GlueCatalog, identifier: tuple[str, str], location: str) -> None:
    """Lead the catalogue's entry to the newest metadata under `location`, if its own is gone.

    Whichever is chosen is right, for it says itself what it has taken; the newest has least to take again. Raises
    ConfigError where there is none.
    """
    try:
        catalogue.load_table(identifier)
    except FileNotFoundError as error:
        newest = _newest_metadata(catalogue, location)
        if newest is None:
            raise ConfigError(
                f"Glue's entry of {'.'.join(identifier)} leads to an object that is gone, as is all of {location}:"
                " delete the entry, and the table is filled again from the manifests"
            ) from error
        _log.warning("%s leads to an object that is gone; led to %s", ".".join(identifier), newest)
        catalogue.drop_table(identifier)  # the entry alone
        with suppress(TableAlreadyExistsError):  # another prepare did the same
            catalogue.register_table(identifier, newest)
    except NoSuchTableError:
        return  # another prepare is in the middle of this


def _newest_metadata(catalogue: GlueCatalog, location: str) -> str | None:
    files = load_file_io(catalogue.properties, location)
    assert isinstance(files, PyArrowFileIO)
    scheme, _, path = location.partition("://")
    bucket = path.partition("/")[0]
    listed = files.fs_by_scheme(scheme, bucket).get_file_info(FileSelector(f"{path}/metadata", allow_not_found=True))
    numbered = [(int(found[1]), info.path) for info in listed if (found := _METADATA.search(info.path))]
    return f"{scheme}://{max(numbered)[1]}" if numbered else None
