"""What a function of `fn.*` is: a name, an input schema, how it types, and what it computes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from pydantic import JsonValue

from connectors.spec import ActionSpec, Effect, JsonObject
from executor.fn.shades import Shading, all_of
from executor.plan.types import Type

Types = Mapping[str, Type]


class FnError(Exception):
    """The arguments have the right types, but there is no answer: `code` says why, stably."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True)
class Function:
    """One pure function; `type_of` gets the types of the bound top-level arguments.

    `control` names the arguments that only choose among what the others offer; `shading` says
    what becomes of labels, and joins all of them unless it knows better.
    """

    name: str
    description: str
    input_schema: JsonObject
    type_of: Callable[[Types], Type]
    call: Callable[[JsonObject], JsonValue]
    control: frozenset[str] = frozenset()
    shading: Shading = all_of
    takes: Callable[[JsonObject], Type] | None = None  # the input schema, once constants are known

    @property
    def names(self) -> tuple[str, ...]:
        """Its arguments."""
        declared = self.input_schema["properties"]
        return tuple(declared) if isinstance(declared, dict) else ()

    @cached_property
    def action(self) -> ActionSpec:
        """How the catalogue and the certificate show it."""
        return ActionSpec(
            name=f"fn.{self.name}",
            description=self.description,
            input_schema=self.input_schema,
            effect=Effect.READ,
            egress=False,
            reads_as="trusted",
        )


def arguments(required: JsonObject, optional: JsonObject | None = None) -> JsonObject:
    """A closed input schema from property schemas."""
    names: list[JsonValue] = list(required)
    return {
        "type": "object",
        "properties": required | (optional or {}),
        "required": names,
        "additionalProperties": False,
    }
