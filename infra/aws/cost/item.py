"""What the stages of the model are made of."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from infra.aws.cost.sizing import Choice, Sizing, Tasks
from infra.aws.cost.tables import Price, Size
from infra.aws.cost.traffic import HOURS, Traffic


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One bill of a stage, in US dollars a month."""

    stage: str
    name: str
    usd: float
    keeps: bool = False  # paid for what lies there, not for what was done


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What every stage is asked by."""

    traffic: Traffic
    prices: Mapping[str, Price]
    sizes: Mapping[str, Size]
    sizing: Sizing
    choice: Choice
    whole: bool  # whole tasks, nodes and shards, and never fewer than the least; else the very need

    def usd(self, price: str) -> float:
        return self.prices[price].usd

    def size(self, name: str) -> float:
        return self.sizes[name].value

    def pieces(self, need: float, *, least: float) -> float:
        """How many are paid for where `need` is wanted."""
        return float(max(least, math.ceil(need))) if self.whole else need

    def fargate(self, tasks: Tasks, cpu: float) -> float:
        """Dollars a month of so many tasks of this kind as use `cpu` CPU-seconds a second."""
        return self.pieces(cpu / self.sizing.utilisation / tasks.vcpu, least=tasks.least) * self.task(tasks)

    def task(self, of: Tasks) -> float:
        """Dollars a month of one."""
        return (of.vcpu * self.usd("fargate.vcpu") + of.gib * self.usd("fargate.memory")) * HOURS
