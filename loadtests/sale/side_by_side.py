"""Locust's page, and the board in a window beside it, for the one screen in the room."""

from pathlib import Path

from jinja2 import Environment

# The board lets nobody frame it, and a page may open one window at a click: so Locust is in the page, the board beside.
_PAGE = Environment(autoescape=True).from_string("""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Sale day {{ run_id }}</title>
<style>html,body{margin:0;height:100%}body{display:flex;flex-direction:column;font:15px system-ui,sans-serif}
p{margin:.5rem}iframe{flex:1;border:0}</style></head>
<body><p>{{ run_id }} <button id="beside">The board beside it</button> <a href="{{ board }}">{{ board }}</a></p>
<iframe src="{{ locust }}" title="Locust"></iframe>
<script>
document.getElementById("beside").addEventListener("click", () => {
  const half = Math.floor(screen.availWidth / 2);
  open({{ board | tojson }}, "board", `left=${half},top=0,width=${half},height=${screen.availHeight}`);
  moveTo(0, 0);
  resizeTo(half, screen.availHeight);
});
</script></body></html>
""")


def side_by_side(folder: Path, run_id: str, *, locust_url: str, board_url: str) -> Path:
    """Write the page. Returns where it is."""
    page = folder / "side-by-side.html"
    page.write_text(_PAGE.render(run_id=run_id, locust=locust_url, board=board_url), encoding="utf-8")
    return page
