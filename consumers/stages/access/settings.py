"""Settings of how access lines are judged. Live and cold must be given the same."""

from dataclasses import dataclass

from runtime.settings import setting


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """`[access]`: what requests mean to this shop."""

    site_rules: str = setting(
        "",
        "TOML file of pages, probes, scanners and bots, see docs/access.md; empty: the demo shop's, which ships",
    )
