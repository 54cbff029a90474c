"""Settings of `python -m consumers migrate`."""

from dataclasses import dataclass

from runtime.settings import Warehouse


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrateSettings:
    """What bringing the warehouse's tables up to date reads."""

    warehouse: Warehouse = Warehouse()
