"""Minor units of currencies (ISO 4217): two, but for these."""

_NONE = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split()
_THREE = "BHD IQD JOD KWD LYD OMR TND".split()
_EXPONENTS = dict.fromkeys(_NONE, 0) | dict.fromkeys(_THREE, 3)


def exponent_of(currency: str) -> int:
    """How many decimal places the currency's minor unit has."""
    return _EXPONENTS.get(currency.upper(), 2)
