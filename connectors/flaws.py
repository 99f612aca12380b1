"""What pydantic finds wrong with a value, as people read it: its place, and never the value."""

from pydantic import ValidationError
from pydantic_core import ErrorDetails


def first_told(error: ValidationError, between: str = ".") -> str:
    """The first thing that is wrong, and where."""
    return all_told(error, between)[0]


def all_told(error: ValidationError, between: str = ".") -> list[str]:
    """Everything that is wrong, each with its place; the value may be a secret."""
    told = []
    for each in error.errors(include_input=False, include_url=False):
        where = between.join(str(part) for part in each["loc"])
        told.append(f"{where}: {what_of(each)}" if where else what_of(each))
    return told


def what_of(flaw: ErrorDetails) -> str:
    """What is wrong, without a name of our classes."""
    return "it should be an object" if flaw["type"] in _OBJECTS else flaw["msg"]


_OBJECTS = frozenset({"model_type", "model_attributes_type", "dataclass_type", "dict_type"})
