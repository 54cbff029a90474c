"""One page with Locust's and the board on it, for the one screen in the room."""

from pathlib import Path

from jinja2 import Environment

_PAGE = Environment(autoescape=True).from_string("""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Sale day {{ run_id }}</title>
<style>html,body{margin:0;height:100%}body{display:flex}iframe{flex:1;border:0;border-right:1px solid #888}</style>
</head><body><iframe src="{{ locust }}" title="Locust"></iframe><iframe src="{{ board }}" title="Board"></iframe></body>
</html>
""")


def side_by_side(folder: Path, run_id: str, *, locust_url: str, board_url: str) -> Path:
    """Write the page. Returns where it is."""
    page = folder / "side-by-side.html"
    page.write_text(_PAGE.render(run_id=run_id, locust=locust_url, board=board_url), encoding="utf-8")
    return page
