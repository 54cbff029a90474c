"""The data sets: which rows and columns QuickSight fetches from the warehouse, and how often."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

from contract.figure import Figure
from contract.formula import Age, Count, Distinct, OverRows, Ratio, Source, Sum
from contract.formula_fields import field_of
from contract.formula_sql import literal, relation
from contract.money import EXPONENTS
from contract.question import formula_of
from contract.tables import Kind
from dashboards.quicksight.expression import MINOR_UNITS, column_name, key_of
from dashboards.quicksight.fields import FIELDS
from dashboards.quicksight.settings import QuickSightSettings

DAY = "on_day"  # in every data set: the shop's day of a row
TODAY = "is_today"  # 1 on the shop's day on which the row was fetched, else 0
LOOKBACK_DAYS = 3  # fetched again each time: late rows, mended letters, and yesterday's `is_today`
RULES = "region_rules"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a data set. `text` is its SQL."""

    name: str
    text: str
    kind: Kind
    of_row: str = ""  # the contract's column that it is; empty: made for QuickSight


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSet:
    """Rows of one relation of the warehouse."""

    name: str
    title: str
    source: Source
    history: Literal["sales", "web", ""]  # which setting bounds its rows; empty: all of them
    incremental: bool  # fetched by its newest rows; else whole, every hour
    parts: tuple[str, ...] = ()  # made columns beside the common ones

    @property
    def has_currency(self) -> bool:
        """Whether its rows have amounts, or belong to amounts."""
        return any(each.of_row == "currency" for each in self.contract_columns())

    @property
    def by_region(self) -> bool:
        """Whether row-level security applies."""
        return any(each.of_row == "region" for each in self.contract_columns())

    def holds(self, figure: Figure) -> bool:
        """Whether a figure is computed over these rows."""
        return formula_of(figure).source.relation == self.source.relation

    def contract_columns(self) -> list[Column]:
        """What the figures over these rows are computed from and grouped by."""
        return [_of_contract(self.source, name) for name in _used(self.source)]

    def columns(self, zone: str) -> list[Column]:
        """All of them, in the order of the data set's SQL."""
        return [*self.contract_columns(), *_made(self, zone)]


def _set(name: str, title: str, figure: str, **more: object) -> DataSet:
    defaults: dict[str, object] = {"history": "", "incremental": False}
    return DataSet(name=name, title=title, source=formula_of(FIELDS[figure]).source, **(defaults | more))  # type: ignore[arg-type]


_SEASON = ("year", "month", "weekday", "hour")
SETS: tuple[DataSet, ...] = (
    _set("orders", "Orders", "revenue", history="sales", incremental=True, parts=(*_SEASON, TODAY)),
    _set("lines", "Order lines", "product_revenue", history="sales", incremental=True),
    _set("purchases", "Purchases of customers", "new_customers", history="sales", incremental=True),
    _set("hours", "Hours against usual", "usual_revenue", history="sales", incremental=True, parts=("hour", TODAY)),
    _set(
        "region_hours",
        "Hours of regions against usual",
        "region_usual_revenue",
        history="sales",
        incremental=True,
        parts=("hour", TODAY),
    ),
    _set("hits", "Requests", "visits", history="web", incremental=True),
    _set("steps", "Steps of the funnel", "visits_at_step", history="web"),
    _set("failed_checkouts", "Failed checkouts", "failed_checkouts", history="web"),
    _set("letters", "Letters", "refused", history="sales"),  # a mended one disappears: never by the newest rows alone
    _set("duplicates", "Duplicates", "duplicates", history="sales", incremental=True),
    _set("conflicts", "Conflicts", "conflicts", history="sales", incremental=True),
    _set("unseen_orders", "Orders without a checkout", "orders_without_checkout", history="web"),
    _set("files", "Files of the account", "missing"),
    _set("ledger", "Loads of the warehouse", "warehouse_freshness", history="web"),
)


@cache
def by_name() -> Mapping[str, DataSet]:
    """Every data set."""
    return {each.name: each for each in SETS}


def data_set_of(name: str) -> DataSet:
    """The data set that a field is computed over. Raises KeyError for none."""
    for each in SETS:
        if each.holds(FIELDS[name]):
            return each
    raise KeyError(f"no data set has the rows of {name}")


def sql(data_set: DataSet, settings: QuickSightSettings) -> str:
    """The statement that QuickSight sends to the warehouse."""
    zone, told = settings.shop.time_zone, settings.quicksight
    columns = ", ".join(
        each.text if each.text == each.name else f"{each.text} AS {each.name}" for each in data_set.columns(zone)
    )
    days = {"sales": told.sales_days, "web": told.web_days}.get(data_set.history)
    # Whole days: half a one would look like a bad one.
    bound = f" WHERE {_day(data_set.source, zone)} >= CAST(DATEADD('day', -{days}, GETDATE()) AS DATE)" if days else ""
    return f"SELECT {columns} FROM {relation(data_set.source, zone)}{bound}"


def as_rows(data_set: DataSet, settings: QuickSightSettings) -> str:
    """The data set's statement as rows of the contract again, for formulas in SQL, with what was made beside them."""
    zone = settings.shop.time_zone
    columns = ", ".join(_back(each) for each in data_set.columns(zone))
    return f"(SELECT {columns} FROM ({sql(data_set, settings)}) fetched)"


def _back(column: Column) -> str:
    if (
        column.of_row
        and column.text != column.of_row
        and column.kind is Kind.INTEGER
        and column.text.startswith("CASE")
    ):
        return f"CASE {column.name} WHEN 1 THEN TRUE WHEN 0 THEN FALSE END AS {column.of_row}"
    return f"{column.name} AS {column.of_row}" if column.of_row and column.of_row != column.name else column.name


def _used(source: Source) -> list[str]:
    """Columns by name: what figures over the same rows need, in the row's own order."""
    wanted = {key_of(source), source.time, *([source.day] if source.day else [])}
    for figure in FIELDS.values():
        formula = formula_of(figure)
        if formula.source.relation == source.relation:
            wanted |= {*_columns_of(formula), *figure.dimensions}
            wanted |= {"currency"} if figure.by_currency else set()
    return [name for name in source.row.__struct_fields__ if name in wanted]


def _columns_of(formula: OverRows) -> Iterator[str]:
    if isinstance(formula, Ratio):
        yield from _columns_of(formula.top)
        yield from _columns_of(formula.bottom)
    elif isinstance(formula, Age):
        yield formula.column
    elif isinstance(formula, Count | Sum | Distinct):
        yield from (each.column for each in formula.where)
        if not isinstance(formula, Count):
            yield formula.column


def _of_contract(source: Source, name: str) -> Column:
    kind = field_of(source.row, name).kind
    if kind is Kind.BOOLEAN:
        text = f"CASE WHEN {name} THEN 1 WHEN NOT {name} THEN 0 END"
        return Column(name=column_name(name), text=text, kind=Kind.INTEGER, of_row=name)
    if name == source.day:
        kind = Kind.DATE
    return Column(name=column_name(name), text=name, kind=kind, of_row=name)


def _made(data_set: DataSet, zone: str) -> Iterator[Column]:
    """Columns that QuickSight would compute otherwise than the shop's clock and ISO 4217 have it."""
    source = data_set.source
    local, day = _local(source, zone), _day(source, zone)
    yield Column(name=DAY, text=day, kind=Kind.DATE)
    if data_set.has_currency:
        cases = " ".join(f"WHEN {literal(code)} THEN {10**digits}" for code, digits in sorted(EXPONENTS.items()))
        yield Column(name=MINOR_UNITS, text=f"CASE currency {cases} ELSE 100 END", kind=Kind.INTEGER)
    texts = {
        "year": f"TO_CHAR({day}, 'YYYY')",
        "month": f"TO_CHAR({day}, 'MM Mon')",
        "weekday": f"TO_CHAR({day}, 'ID Dy')",
        "hour": f"TO_CHAR({local}, 'HH24')",
    }
    today = f"CAST(CONVERT_TIMEZONE('UTC', {literal(zone)}, GETDATE()) AS DATE)"
    for part in data_set.parts:
        if part == TODAY:
            yield Column(name=TODAY, text=f"CASE WHEN {day} = {today} THEN 1 ELSE 0 END", kind=Kind.INTEGER)
        else:
            yield Column(name=part, text=texts[part], kind=Kind.TEXT)


def _local(source: Source, zone: str) -> str:
    return f"CONVERT_TIMEZONE('UTC', {literal(zone)}, {source.time})"


def _day(source: Source, zone: str) -> str:
    return source.day or f"CAST({_local(source, zone)} AS DATE)"
