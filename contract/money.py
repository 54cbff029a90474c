"""Money as integer minor units, by the currency's own exponent (ISO 4217)."""

from decimal import Decimal

# ISO 4217 list one (minor units); every currency not named here has two.
EXPONENTS = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG"), 0),
    **dict.fromkeys(("RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}
USUAL_EXPONENT = 2

# The largest amount or count that we take, either way: sums of a million of them still fit a signed 64-bit column.
LARGEST = 9_000_000_000_000


def is_currency(code: str) -> bool:
    """Whether `code` has the form of an ISO 4217 code: three ASCII capitals."""
    return len(code) == 3 and code.isascii() and code.isalpha() and code.isupper()


def exponent(currency: str) -> int:
    """Digits after the point of one `currency` unit: 2 for GBP, 0 for JPY, 3 for KWD."""
    return EXPONENTS.get(currency, USUAL_EXPONENT)


def to_minor(amount: Decimal, currency: str) -> Decimal:
    """`amount` in whole units as minor units, exactly: 2.55 GBP is 255, 0.001 GBP is 0.1 (and so no price)."""
    return amount.scaleb(exponent(currency))


def display(minor: int, currency: str) -> str:
    """`minor` units for a reader: 123456 GBP is `1,234.56`."""
    digits = exponent(currency)
    return f"{Decimal(minor).scaleb(-digits):,.{digits}f}"
