"""Python functions as actions: types from annotations, the manifest from the decorator."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_type_hints

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    PydanticUserError,
    TypeAdapter,
    ValidationError,
    create_model,
)

from connectors.annotated import output_of, sinks_of
from connectors.connector import Applied, Outcome, Pending, Unreadable
from connectors.errors import ConfigurationError, Kind, Refused, Unavailable
from connectors.flaws import first_told
from connectors.manifest import within
from connectors.outcome import in_doubt
from connectors.spec import ActionSpec, CallContext, JsonObject

# A plugin's functions have signatures of their own: this file is where they become actions.
Function = Callable[..., Awaitable[Any]]
_CONTEXT = "context"
# A function that keeps the deadline itself knows more about how a call ended than we do.
_GRACE_S = 0.25
_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


@dataclass(frozen=True)
class NativeAction:
    """A function and what the decorator says of it."""

    function: Function
    manifest: JsonObject

    async def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call it as the function that it still is."""
        return await self.function(*args, **kwargs)


def action(*bare: object, **manifest: Any) -> Callable[[Function], NativeAction]:
    """Make an async function an action; keywords are members of `ActionSpec`.

    The name is the function's, the description its docstring, the schemas come from its
    annotations, and so do sinks (`Annotated[str, Sink.RECIPIENT]`). A parameter called `context`
    gets the `CallContext`, one annotated `ActionSpec` the action itself. Another action that the
    manifest names is of the same connection where it has no dot. What the manifest leaves out
    gets the cautious default: a blind, irreversible write that needs an approval.
    """

    if bare:
        raise TypeError("write @action(...) with what the action does, such as effect='read'")

    def decorate(function: Function) -> NativeAction:
        if not inspect.iscoroutinefunction(function):
            raise TypeError(f"{function!r} is not async; wrap what blocks in asyncio.to_thread")
        return NativeAction(function, manifest)

    return decorate


@dataclass(frozen=True)
class _Native:
    """An action ready to be called: what goes in, what comes out."""

    spec: ActionSpec
    function: Function
    arguments: type[BaseModel]
    names: Mapping[str, str]  # the model's field -> the function's parameter
    returned: TypeAdapter[Any] | None
    takes_context: bool
    takes_spec: tuple[str, ...]


class NativeConnector:
    """A connection whose actions are functions."""

    def __init__(self, name: str, connection: str, functions: Sequence[NativeAction]) -> None:
        self.name = name
        self._actions: dict[str, _Native] = {}
        for each in functions:
            native = _native(connection, each)
            if native.spec.name in self._actions:
                raise ConfigurationError(f"two functions are called {native.spec.name}")
            self._actions[native.spec.name] = native

    async def actions(self) -> Sequence[ActionSpec]:
        """Every function, the same each time."""
        return tuple(native.spec for native in self._actions.values())

    async def call(
        self, action: ActionSpec, arguments: Mapping[str, JsonValue], context: CallContext
    ) -> Outcome:
        """Call the function once; it ends by the deadline."""
        native = self._actions.get(action.name)
        if native is None:
            raise Refused(f"there is no {action.name}", kind=Kind.NOT_FOUND)
        try:
            given = native.arguments.model_validate(dict(arguments))
        except ValidationError as error:
            raise Refused(first_told(error), kind=Kind.INVALID) from error
        values = {
            name: getattr(given, field)
            for field, name in native.names.items()
            if field in given.model_fields_set
        }
        if native.takes_context:
            values[_CONTEXT] = context
        values |= dict.fromkeys(native.takes_spec, action)
        if time.monotonic() >= context.send_before:
            raise Unavailable("the call could not begin in time", kind=Kind.CANCELLED)
        try:
            async with asyncio.timeout(max(0.0, context.deadline - time.monotonic()) + _GRACE_S):
                result = await native.function(**values)
        except TimeoutError as error:
            raise in_doubt(action, "no result before the deadline", Kind.TIMEOUT) from error
        return _outcome(native, action, result)


def _outcome(native: _Native, action: ActionSpec, result: object) -> Outcome:
    """The function's result as its annotation says; it has acted already, whatever comes."""
    if isinstance(result, Unreadable | Pending):
        return result
    done = result if isinstance(result, Applied) else None
    if done is not None and native.returned is None:
        return done
    adapter = native.returned or TypeAdapter[Any](JsonValue)
    found = result if done is None else done.output
    request_id = done.request_id if done else None
    try:
        output = adapter.dump_python(adapter.validate_python(found), mode="json")
        return replace(done, output=output) if done else Applied(output)
    except (ValueError, PydanticUserError) as error:
        told = first_told(error) if isinstance(error, ValidationError) else type(error).__name__
        reason = f"{action.name} did not return what its annotation says: {told}"
    if action.is_write:
        return Unreadable(reason, request_id)
    raise Refused(reason, kind=Kind.INTERNAL, request_id=request_id)


def _native(connection: str, native: NativeAction) -> _Native:
    function = native.function
    name = f"{connection}.{getattr(function, '__name__', 'action')}"
    try:
        hints = get_type_hints(function, include_extras=True)
        model, names = _model(function, hints)
        returned = _returned(hints)
        schema = returned.json_schema(mode="serialization") if returned else None
        takes_spec = tuple(each for each, kind in hints.items() if kind is ActionSpec)
        sinks = sinks_of({each: hints[each] for each in names.values()})
        spec = ActionSpec.model_validate(
            {
                "name": name,
                "description": inspect.getdoc(function) or "",
                "input_schema": model.model_json_schema(by_alias=True),
                "output_schema": schema,
                **({"sinks": sinks} if sinks else {}),
                **within(connection, native.manifest),
            }
        )
    except ValidationError as error:
        raise ConfigurationError(f"{name}: {first_told(error)}") from error
    except NameError as error:
        raise ConfigurationError(f"{name}: in its annotations {error}") from error
    except (TypeError, PydanticUserError) as error:
        raise ConfigurationError(f"{name}: {error}") from error
    takes_context = _CONTEXT in inspect.signature(function).parameters
    return _Native(spec, function, model, names, returned, takes_context, takes_spec)


def _model(function: Function, hints: Mapping[str, Any]) -> tuple[type[BaseModel], dict[str, str]]:
    """A closed model of the parameters; its own field names cannot clash with a model's members."""
    fields: dict[str, Any] = {}
    names: dict[str, str] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if name == _CONTEXT or hints.get(name) is ActionSpec:
            continue
        if parameter.kind not in _NAMED:
            raise TypeError(f"the parameter {name} has no fixed name, so no plan can give it")
        if name not in hints:
            raise TypeError(f"the parameter {name} has no annotation")
        needed = parameter.default is inspect.Parameter.empty
        default = ... if needed else parameter.default
        names[f"argument_{name}"] = name
        fields[f"argument_{name}"] = (hints[name], Field(default, alias=name, title=name))
    config = ConfigDict(extra="forbid")
    title = getattr(function, "__name__", "Arguments")
    model: type[BaseModel] = create_model(title, __config__=config, **fields)
    return model, names


def _returned(hints: Mapping[str, Any]) -> TypeAdapter[Any] | None:
    """What reads the result, or None where the function returns outcomes or says nothing."""
    found = output_of(hints.get("return"))
    return None if found is None else TypeAdapter(found)
