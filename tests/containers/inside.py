"""Run inside the folders of one image, by a Python whose other libraries are hidden: argv is the distributions that the
image installs, stdin the commands to run, stdout a JSON list of what failed.
"""

import contextlib
import importlib
import importlib.metadata
import io
import json
import pkgutil
import sys
import traceback
from collections.abc import Iterator, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import BuiltinImporter, FrozenImporter, ModuleSpec, PathFinder
from pathlib import Path
from typing import Any

import click


class _Guard(MetaPathFinder):
    """Finds what one of the distributions brings, and the folders here; nothing else is to be found."""

    def __init__(self, allowed: frozenset[str]) -> None:
        self._allowed = allowed

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        top = fullname.partition(".")[0]
        if top in self._allowed or Path(top).is_dir() or top.startswith("_sysconfigdata"):
            return PathFinder.find_spec(fullname, path, target)
        return None

    def find_distributions(self, context: Any) -> Any:
        """Of versions that libraries ask for."""
        return PathFinder.find_distributions(context)


def _tops(distributions: Sequence[str]) -> frozenset[str]:
    """The names that these may be imported by, extension modules of their own included."""
    files = (file for name in distributions for file in importlib.metadata.files(name) or ())
    return frozenset(file.parts[0].partition(".")[0] for file in files)


def _modules(folder: str) -> Iterator[str]:
    for found in pkgutil.walk_packages([folder], f"{folder}."):
        if not found.name.endswith("__main__"):
            yield found.name


def _commands(group: click.Command, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield words, group
    if isinstance(group, click.Group):
        context = click.Context(group)
        for name in group.list_commands(context):
            found = group.get_command(context, name)
            assert found is not None
            yield from _commands(found, (*words, name))


def _run(main: click.Command, words: Sequence[str]) -> str:
    """What is wrong with it, if anything."""
    told = io.StringIO()
    try:
        with contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
            main.main(args=list(words), prog_name="it", standalone_mode=False)
    except SystemExit as end:
        return "" if end.code in (0, None) else f"{' '.join(words)} exits {end.code}: {told.getvalue()[-500:]}"
    except BaseException:
        return f"{' '.join(words)}: {traceback.format_exc(limit=-3)}"
    return "" if told.getvalue() else f"{' '.join(words)} says nothing"


def main() -> None:
    asked = json.loads(sys.stdin.read())
    allowed = _tops(asked["distributions"]) | frozenset(sys.stdlib_module_names) | {"__main__"}
    for name in [name for name in sys.modules if name.partition(".")[0] not in allowed]:
        del sys.modules[name]
    sys.path.insert(0, "")
    sys.meta_path[:] = [BuiltinImporter, FrozenImporter, _Guard(allowed)]
    failed, ran = [], []
    for name in [*asked["modules"], *(module for folder in asked["folders"] for module in _modules(folder))]:
        try:
            importlib.import_module(name)
        except BaseException:
            failed.append(f"import {name}: {traceback.format_exc(limit=-3)}")
    if asked["entry"]:
        group = getattr(importlib.import_module(f"{asked['entry']}.__main__"), asked["entry"])
        for words, command in _commands(group, ()):
            asks = ["--help", *(["--print-settings"] if _prints(command) else [])]
            for option in asks:
                ran.append(" ".join((*words, option)))
                failed.append(_run(group, (*words, option)))
    print(json.dumps({"failed": [each for each in failed if each], "ran": ran}))


def _prints(command: click.Command) -> bool:
    """Whether it can do so by itself: some want to be told first of what."""
    return any("--print-settings" in option.opts for option in command.params) and not any(
        option.required for option in command.params
    )


if __name__ == "__main__":
    main()
