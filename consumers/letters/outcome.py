"""What a mend or a replay comes to: counts, revenue, and a few events before and after."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from consumers.letters.plan import Fate, Item
from consumers.letters.sending import Sent
from contract.rows import HitRow, LetterRow, OrderRow

_EXAMPLES = 3


@dataclass(slots=True, kw_only=True)
class Outcome:
    """Grows as chunks are planned, and sent."""

    found: int = 0
    selected: int = 0  # those that the selection selects something in
    orders: int = 0  # that would pass
    hits: int = 0
    refused: int = 0  # again
    remaining: Counter[str] = field(default_factory=Counter)  # reasons of those; one with two counts twice
    left_out: Counter[str] = field(default_factory=Counter)  # by why
    revenue: Counter[str] = field(default_factory=Counter)  # that would be added, minor units by currency
    sent: int = 0
    held_up: Counter[str] = field(default_factory=Counter)  # planned and not sent, by why
    examples: list[Item] = field(default_factory=list)

    def plan(self, items: Sequence[Item]) -> None:
        """Count what was planned."""
        for item in items:
            self.found += 1
            self.selected += item.fate is not Fate.UNSELECTED
            if item.fate is Fate.LEFT_OUT:
                self.left_out[item.why] += 1
            elif item.fate is Fate.REFUSED and isinstance(item.row, LetterRow):
                self.refused += 1
                self.remaining.update(item.row.reasons)
            elif item.fate is Fate.PASSES:
                self._passes(item)
            if item.made and item.made.changes and len(self.examples) < _EXAMPLES:
                self.examples.append(item)

    def send(self, sent: Sent) -> None:
        """Count what was sent."""
        self.sent += sent.stored
        self.held_up.update(sent.held_up)

    @property
    def passing(self) -> int:
        return self.orders + self.hits

    def _passes(self, item: Item) -> None:
        if isinstance(item.row, OrderRow):
            self.orders += 1
            self.revenue[item.row.currency] += item.row.revenue
        elif isinstance(item.row, HitRow):
            self.hits += 1
