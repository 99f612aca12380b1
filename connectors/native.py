"""Python functions as actions: types from annotations, the manifest from the decorator."""

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_type_hints

from pydantic import ConfigDict, JsonValue, TypeAdapter, ValidationError, create_model

from connectors.connector import Applied, Outcome, Pending, Unreadable
from connectors.errors import Kind, Refused
from connectors.spec import ActionSpec, CallContext, JsonObject

# A plugin's functions have signatures of their own: this file is where they become actions.
Function = Callable[..., Awaitable[Any]]
_CONTEXT = "context"


@dataclass(frozen=True)
class NativeAction:
    """A function and what the decorator says of it."""

    function: Function
    manifest: JsonObject

    async def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call it as the function that it still is."""
        return await self.function(*args, **kwargs)


def action(**manifest: Any) -> Callable[[Function], NativeAction]:
    """Make an async function an action; keywords are members of `ActionSpec`.

    The name is the function's, the description its docstring, the schemas come from its
    annotations. A parameter called `context` gets the `CallContext`. What the manifest leaves
    out gets the cautious default: a blind, irreversible write that needs an approval.
    """

    def decorate(function: Function) -> NativeAction:
        return NativeAction(function, manifest)

    return decorate


class NativeConnector:
    """A connection whose actions are functions."""

    def __init__(self, name: str, connection: str, functions: Sequence[NativeAction]) -> None:
        self.name = name
        self._actions = {
            spec.name: (spec, native)
            for native in functions
            for spec in [_spec(connection, native)]
        }

    async def actions(self) -> Sequence[ActionSpec]:
        """Every function, the same each time."""
        return tuple(spec for spec, _ in self._actions.values())

    async def call(
        self, action: ActionSpec, arguments: Mapping[str, JsonValue], context: CallContext
    ) -> Outcome:
        """Call the function once."""
        native = self._actions[action.name][1]
        takes_context = _CONTEXT in inspect.signature(native.function).parameters
        try:
            given = _model(native.function).model_validate(dict(arguments))
        except ValidationError as error:
            raise Refused(str(error), kind=Kind.INVALID) from error
        values = {name: getattr(given, name) for name in type(given).model_fields}
        extra = {_CONTEXT: context} if takes_context else {}
        result = await native.function(**values, **extra)
        if isinstance(result, Applied | Unreadable | Pending):
            return result
        returned = get_type_hints(native.function).get("return", JsonValue)
        return Applied(TypeAdapter(returned).dump_python(result, mode="json"))


def _model(function: Function) -> Any:
    hints = get_type_hints(function, include_extras=True)
    fields: dict[str, Any] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if name != _CONTEXT:
            default = ... if parameter.default is inspect.Parameter.empty else parameter.default
            fields[name] = (hints.get(name, JsonValue), default)
    return create_model(
        function.__name__, __config__=ConfigDict(extra="forbid", strict=False), **fields
    )


def _spec(connection: str, native: NativeAction) -> ActionSpec:
    function = native.function
    returned = get_type_hints(function).get("return")
    output = None if returned in (None, Outcome, Applied) else TypeAdapter(returned).json_schema()
    return ActionSpec.model_validate(
        {
            "name": f"{connection}.{function.__name__}",
            "description": inspect.getdoc(function) or "",
            "input_schema": _model(function).model_json_schema(),
            "output_schema": output,
            **native.manifest,
        }
    )
