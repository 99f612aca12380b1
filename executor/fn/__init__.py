"""The closed catalogue of typed pure functions, `fn.*`."""

from executor.fn.elements import ELEMENTS
from executor.fn.function import FnError, Function
from executor.fn.numbers import NUMBERS
from executor.fn.typed import TYPED

FUNCTIONS: dict[str, Function] = {f"fn.{each.name}": each for each in (*ELEMENTS, *NUMBERS, TYPED)}

__all__ = ["FUNCTIONS", "FnError", "Function"]
