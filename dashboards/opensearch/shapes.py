"""What is shown of a figure, whatever draws it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from contract.figure import Figure
from contract.formula import Age
from contract.question import formula_of
from dashboards.opensearch.saved import PREFIX

Shape = Literal["number", "time", "by"]


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One picture."""

    figure: Figure
    shape: Shape
    by: str = ""  # the dimension of a `by`

    @property
    def id(self) -> str:
        """Of the saved object."""
        return f"{PREFIX}{self.figure.name}-{self.shape}{'-' + self.by if self.by else ''}".replace("_", "-")

    @property
    def title(self) -> str:
        """For people."""
        suffix = {"number": "", "time": " over time", "by": f" by {self.by}"}[self.shape]
        return f"storepulse: {self.figure.title}{suffix}"


# The dimensions that are looked at; every figure has its number, and its course.
_BY = {
    "revenue": ("region", "channel"),
    "pieces": ("sku",),
    "returns": ("region",),
    "visits": ("device", "browser"),
    "requests": ("page", "status_class"),
    "error_rate": ("page",),
    "refused": ("reason", "event_type"),
}


def views(figure: Figure) -> Iterator[View]:
    """Of a figure that live has."""
    yield View(figure=figure, shape="number")
    if not isinstance(formula_of(figure), Age):
        yield View(figure=figure, shape="time")
    for dimension in _BY.get(figure.name, ()):
        if dimension in figure.dimensions:
            yield View(figure=figure, shape="by", by=dimension)
