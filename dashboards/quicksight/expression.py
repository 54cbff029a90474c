"""Formulas as QuickSight's calculated fields.

https://docs.aws.amazon.com/quicksight/latest/user/functions-by-category.html has the functions. Booleans are 1 and 0:
data sets bring them so, as QuickSight takes them differently from different databases.
"""

from collections.abc import Sequence

from contract.figures import FIGURES
from contract.formula import Age, Condition, Count, Distinct, Is, Known, OverRows, Ratio, Source, Sum
from contract.formula_fields import field_of
from contract.tables import Kind, columns_of

MINOR_UNITS = "minor_units"  # column: how many of the smallest units make one of the row's currency
_TITLES = {figure.title.lower() for figure in FIGURES}


def expression(formula: OverRows) -> str:
    """The aggregate expression over a data set of the formula's rows. Raises ValueError for what QuickSight lacks."""
    if isinstance(formula, Count):
        return _aggregate("count", "countIf", formula.source, key_of(formula.source), formula.where)
    if isinstance(formula, Sum):
        if field_of(formula.source.row, formula.column).kind is not Kind.INTEGER:
            raise ValueError(f"{formula.column} of {formula.source.name} is no number")
        # A sum over no rows is null here and 0 in the list's sense.
        summed = _aggregate("sum", "sumIf", formula.source, formula.column, formula.where)
        return f"coalesce({summed}, 0)"
    if isinstance(formula, Distinct):
        return _aggregate("distinct_count", "distinct_countIf", formula.source, formula.column, formula.where)
    if isinstance(formula, Ratio):
        bottom = expression(formula.bottom)
        return f"ifelse({bottom} = 0, NULL, {expression(formula.top)} / {bottom})"
    assert isinstance(formula, Age)
    newest = _name(formula.source, formula.column)
    return f'dateDiff(maxIf({newest}, {newest} <= now()), now(), "SS")'


def by_currency(text: str, *, money: bool) -> str:
    """An expression that is null over rows of several currencies; money in whole units."""
    whole = f"({text}) / max({{{MINOR_UNITS}}})" if money else text
    return f"ifelse(distinct_count({{currency}}) = 1, {whole}, NULL)"


def column_name(name: str) -> str:
    """What a column is called in a data set: a calculated field of the same name would hide it."""
    return f"{name}_of_row" if name.lower() in _TITLES else name


def key_of(source: Source) -> str:
    """A column that is never null: counting it counts rows."""
    return next(column.name for column in columns_of(source.row) if not column.nullable)


def _aggregate(function: str, conditional: str, source: Source, column: str, where: Sequence[Condition]) -> str:
    if not where:
        return f"{function}({_name(source, column)})"
    return f"{conditional}({_name(source, column)}, {' AND '.join(_condition(source, each) for each in where)})"


def _condition(source: Source, wanted: Condition) -> str:
    field = field_of(source.row, wanted.column)
    if field.is_list:
        raise ValueError(f"{wanted.column} of {source.name} is a list: QuickSight has none")
    name = _name(source, wanted.column)
    if isinstance(wanted, Is):
        if not wanted.values:
            raise ValueError(f"{wanted.column} is none of no values")
        for value in wanted.values:
            field.check(value)
        literals = [_literal(value) for value in wanted.values]
        return f"{name} = {literals[0]}" if len(literals) == 1 else f"in({name}, [{', '.join(literals)}])"
    return f"isNotNull({name})" if isinstance(wanted, Known) else f"isNull({name})"


def _name(source: Source, column: str) -> str:
    field_of(source.row, column)
    return f"{{{column_name(column)}}}"


def _literal(value: str | int | bool) -> str:
    if isinstance(value, bool | int):
        return str(int(value))
    if any(letter in value for letter in "'\"\\{}") or not value.isprintable():
        raise ValueError(f"no literal that QuickSight surely reads: {value!r}")
    return f"'{value}'"
