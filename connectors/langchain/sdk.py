"""Tools as a package has them: found by `module:attribute`, described, called once.

The one file here that imports langchain_core. Its `load` and `loads`, which make objects of texts,
are not used. A call is traced nowhere, whatever the environment says: its arguments are for the
tool alone.
"""

import asyncio
import importlib
import inspect
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path
from typing import get_type_hints

from langchain_core.messages import ToolCall, ToolMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import (
    BaseTool,
    BaseToolkit,
    InjectedToolCallId,
    StructuredTool,
    Tool,
    ToolException,
)
from langsmith.run_helpers import tracing_context
from pydantic import BaseModel, JsonValue
from pydantic_core import PydanticSerializationError, to_jsonable_python

from connectors.body import BodyError, read_json
from connectors.errors import ConfigurationError
from connectors.langchain.tool import CALL_ID, Ended, FoundTool, Raised, Strange
from connectors.mcp.wire import ToolResult
from connectors.spec import JsonObject

_GIVEN = frozenset({"run_manager", "callbacks", "config"})  # what LangChain fills in by itself
_VALUES = frozenset({"default", "const", "enum", "examples"})
_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


async def load_tools(entry: str, given: Mapping[str, JsonValue]) -> tuple[FoundTool, ...]:
    """The tools that `module:attribute` has, or makes of what is given.

    Raises `ConfigurationError` where there is no such thing, and whatever a factory raises.
    """
    found = await asyncio.to_thread(_found, entry, given)
    if inspect.isawaitable(found):
        found = await found
    return tuple(await asyncio.to_thread(lambda: [_Found(each) for each in _tools(entry, found)]))


def whence(entry: str) -> str:
    """The distributions that an entry's module belongs to, and their versions."""
    top = entry.partition(":")[0].partition(".")[0]
    folders = tuple(each for each in map(Path, sys.path) if each.is_dir())
    installed = _distributions(tuple(each.stat().st_mtime_ns for each in folders))
    names = sorted({*installed.get(top, ())})
    return ", ".join(f"{name} {_version(name)}" for name in names) or "no distribution"


@lru_cache(maxsize=1)
def _distributions(_changed: tuple[int, ...]) -> Mapping[str, list[str]]:
    """By the modules they have; to read all that they installed takes a sixth of a second."""
    return packages_distributions()


@dataclass(frozen=True)
class _Found:
    """One tool, whatever class it is of."""

    tool: BaseTool

    @property
    def name(self) -> str:
        return self.tool.name

    @property
    def is_blocking(self) -> bool:
        return _is_blocking(self.tool)

    def definition(self) -> JsonObject:
        found: JsonObject = {
            "name": self.tool.name,
            "description": self.tool.description,
            "code": _code(self.tool),
            "response": self.tool.response_format,
        }
        if _takes_call_id(self.tool):
            found["takes"] = [CALL_ID]
        try:
            found["inputSchema"] = _input(self.tool)
        except Exception as error:  # noqa: BLE001 - some types have no schema, and there are many ways to say so
            return found | {"unfit": f"its input has no schema: {type(error).__name__}"}
        if needs := sorted({*_needed(self.tool)}):
            found["unfit"] = f"it needs {', '.join(needs)}, which only an agent can give it"
        return found

    def run(self, arguments: JsonObject, call_id: str) -> Ended:
        try:
            with tracing_context(enabled=False):
                return _result(self.tool.invoke(self._request(arguments, call_id)))
        except ToolException as error:
            return _failed(error)
        except BaseException as error:  # noqa: BLE001 - a tool is somebody else's code
            return Raised(error)

    async def arun(self, arguments: JsonObject, call_id: str) -> Ended:
        try:
            with tracing_context(enabled=False):
                return _result(await self.tool.ainvoke(self._request(arguments, call_id)))
        except ToolException as error:
            return _failed(error)
        except Exception as error:  # noqa: BLE001 - a tool is somebody else's code
            return Raised(error)

    def _request(self, arguments: JsonObject, call_id: str) -> ToolCall:
        # As a model asks, so that what comes back says whether it failed, and has its artifact.
        return ToolCall(name=self.tool.name, args={**arguments}, id=call_id, type="tool_call")


def _found(entry: str, given: Mapping[str, JsonValue]) -> object:
    module, _, path = entry.partition(":")
    try:
        found: object = importlib.import_module(module)
        for name in path.split("."):
            found = getattr(found, name)
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(f"{entry} is not there: {error}") from error
    if isinstance(found, BaseTool | BaseToolkit | list | tuple):
        if given:
            raise ConfigurationError(f"{entry} makes nothing, so nothing can be given to it")
        return found
    if not callable(found):
        kind = type(found).__name__
        raise ConfigurationError(f"{entry} is a {kind}: neither tools nor what makes any")
    return found(**given)


def _tools(entry: str, found: object) -> Iterator[BaseTool]:
    match found:
        case BaseTool():
            yield found
        case BaseToolkit():
            yield from _tools(entry, found.get_tools())
        case list() | tuple():
            for each in found:
                yield from _tools(entry, each)
        case _:
            raise ConfigurationError(f"{entry} has a {type(found).__name__}, which is no tool")


def _is_blocking(tool: BaseTool) -> bool:
    if isinstance(tool, StructuredTool | Tool):
        return tool.coroutine is None
    return type(tool)._arun is BaseTool._arun


def _input(tool: BaseTool) -> JsonObject:
    """The arguments that a plan may give: none that LangChain injects, and no others."""
    if isinstance(tool, Tool) and tool.args_schema is None:
        text: JsonObject = {"type": "object", "required": ["tool_input"]}
        return text | {"properties": {**tool.args}, "additionalProperties": False}
    schema = tool.tool_call_schema
    if isinstance(schema, dict):
        # What it does not declare no tool is sure to look at.
        return {**_json(schema), "additionalProperties": False}
    made = schema.model_json_schema() if issubclass(schema, BaseModel) else schema.schema()
    closed = _closed(_json(made))
    members = closed.get("properties")
    if isinstance(members, dict):
        for name, parameter in _parameters(tool).items():
            if parameter.kind in _VARIADIC:
                members.pop(name, None)
    return {**closed, "additionalProperties": False}


def _closed(schema: JsonObject) -> JsonObject:
    """A model's schema where each object has what it declares: pydantic drops what else comes."""
    found: JsonObject = {}
    for word, value in schema.items():
        if isinstance(value, dict) and word not in _VALUES:
            found[word] = _closed(value)
        elif isinstance(value, list) and word not in _VALUES:
            found[word] = [_closed(each) if isinstance(each, dict) else each for each in value]
        else:
            found[word] = value
    if found.get("type") == "object" and isinstance(found.get("properties"), dict):
        found.setdefault("additionalProperties", False)
    return found


def _needed(tool: BaseTool) -> Iterator[str]:
    """What a call needs beside what is offered, and nobody here has: a graph's state, a store."""
    offered = _input(tool).get("properties")
    known = {*(offered if isinstance(offered, dict) else ()), *_GIVEN}
    hints = _hints(tool)
    for name, parameter in _parameters(tool).items():
        if parameter.kind in _VARIADIC or parameter.default is not inspect.Parameter.empty:
            continue
        hint = hints.get(name, parameter.annotation)
        is_call_id = name == CALL_ID and _has_call_id(getattr(hint, "__metadata__", ()))
        if name not in known and hint is not RunnableConfig and not is_call_id:
            yield name
    model = tool.args_schema
    if isinstance(model, type) and issubclass(model, BaseModel):
        for name, field in model.model_fields.items():
            is_given = name == CALL_ID and _has_call_id(field.metadata)
            if field.is_required() and not is_given and not {name, field.alias} & known:
                yield name


def _takes_call_id(tool: BaseTool) -> bool:
    """Whether LangChain fills in the id of a call: it looks at the model of the arguments."""
    model = tool.args_schema
    if not isinstance(model, type) or not issubclass(model, BaseModel):
        return False
    field = model.model_fields.get(CALL_ID)
    return field is not None and _has_call_id(field.metadata)


def _has_call_id(metadata: object) -> bool:
    told = metadata if isinstance(metadata, list | tuple) else ()
    return any(each is InjectedToolCallId or isinstance(each, InjectedToolCallId) for each in told)


def _function(tool: BaseTool) -> object:
    """What is called in the end."""
    if isinstance(tool, StructuredTool | Tool):
        return tool.coroutine or tool.func
    return tool._run if _is_blocking(tool) else tool._arun


def _parameters(tool: BaseTool) -> Mapping[str, inspect.Parameter]:
    function = _function(tool)
    if isinstance(tool, Tool) and tool.args_schema is None:
        return {}  # one text, whatever the parameter is called
    return inspect.signature(function).parameters if callable(function) else {}


def _hints(tool: BaseTool) -> Mapping[str, object]:
    try:
        return get_type_hints(_function(tool), include_extras=True)
    except (NameError, TypeError):
        return {}  # an annotation that cannot be resolved; the parameter's own is looked at


def _code(tool: BaseTool) -> str:
    """Where the code is that a call runs."""
    function = _function(tool)
    if isinstance(tool, StructuredTool | Tool):
        module = getattr(function, "__module__", "?")
        return f"{module}:{getattr(function, '__qualname__', type(function).__name__)}"
    return f"{type(tool).__module__}:{type(tool).__qualname__}"


def _result(found: object) -> Ended:
    if not isinstance(found, ToolMessage):
        return Strange()
    content = found.content if isinstance(found.content, list) else [found.content]
    parts = tuple(_part(each) for each in content)
    texts = [each["text"] for each in parts if each.get("type") == "text"]
    structured, has_structured = _structured(found.artifact, texts if len(parts) == 1 else [])
    return ToolResult(parts, structured, has_structured, found.status == "error")


def _failed(error: ToolException) -> ToolResult:
    return ToolResult(({"type": "text", "text": str(error)},), is_error=True)


def _structured(artifact: object, texts: list[JsonValue]) -> tuple[JsonValue, bool]:
    """The artifact, or else what the text is as JSON; what is no JSON is left out."""
    if artifact is not None:
        try:
            return _json_of(artifact), True
        except (PydanticSerializationError, ValueError, RecursionError):
            return None, False
    for text in texts:
        if isinstance(text, str) and text[:1] in ("{", "["):
            try:
                return read_json(text.encode()), True
            except (BodyError, UnicodeEncodeError):
                pass
    return None, False


def _part(block: object) -> JsonObject:
    """A block of a message, in the words of MCP."""
    if not isinstance(block, dict):
        return {"type": "text", "text": str(block)}
    found: JsonObject = {"type": str(block.get("type", ""))}
    image = block.get("image_url")
    told = {**block, **(image if isinstance(image, dict) else {})}
    for theirs, ours in (
        ("text", "text"),
        ("mime_type", "mimeType"),
        ("url", "uri"),
        ("data", "data"),
        ("base64", "data"),
    ):
        if isinstance(said := told.get(theirs), str):
            found[ours] = said
    return found


def _json(value: object) -> JsonObject:
    found = _json_of(value)
    return found if isinstance(found, dict) else {}


def _json_of(value: object) -> JsonValue:
    made: JsonValue = to_jsonable_python(value)
    return made


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "of no known version"
