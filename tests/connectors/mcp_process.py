"""An MCP server in a process of its own, built with the SDK: `DEFINITIONS LOG stdio|http`.

Its tools are what stands in a file, which is read anew at each listing; each call is a line of a
log, so that tests know what was really done.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import anyio
import mcp_types as types
import uvicorn
from mcp.server.lowlevel import NotificationOptions, Server
from mcp.server.stdio import stdio_server
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ToolsListChanged
from mcp.shared.exceptions import MCPError

DEFINITIONS, LOG, HOW = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
BUS = InMemorySubscriptionBus()


def definitions() -> list[types.Tool]:
    return [types.Tool.model_validate(each) for each in json.loads(DEFINITIONS.read_text("utf-8"))]


def keep(file: Path, what: object) -> None:
    with file.open("a", encoding="utf-8") as log:
        log.write(json.dumps(what) + "\n")


async def listed(_: Any, params: types.PaginatedRequestParams | None) -> types.ListToolsResult:
    tools = definitions()
    # In two pages, as servers with many tools do.
    at = int(params.cursor) if params and params.cursor else 0
    following = str(at + 20) if at + 20 < len(tools) else None
    return types.ListToolsResult(
        tools=tools[at : at + 20], next_cursor=following, ttl_ms=0, cache_scope="private"
    )


async def called(
    context: Any, params: types.CallToolRequestParams
) -> types.CallToolResult | types.InputRequiredResult:
    given = params.arguments or {}
    keep(LOG, [params.name, given])
    match params.name:
        case "note":
            return said(given["text"], {"noted": given["text"]})
        case "wrong":
            return said("no structure at all")
        case "fail":
            return types.CallToolResult(
                content=[types.TextContent(type="text", text="half of it is\u202e done")],
                is_error=True,
            )
        case "refuse":
            raise MCPError(int(given.get("code", -32602)), "these are no arguments of mine")
        case "crash":
            sys.stderr.write("out of order\n")
            sys.stderr.flush()
            os._exit(3)
        case "hang":
            await anyio.sleep(600)
        case "huge":
            return said("x" * 11_000_000)
        case "picture":
            return types.CallToolResult(
                content=[
                    types.TextContent(type="text", text="one"),
                    types.ImageContent(type="image", data="aGk=", mime_type="image/png"),
                    types.TextContent(type="text", text="two"),
                ]
            )
        case "ask":
            return asks(context, params)
        case "think":
            thought = types.CreateMessageRequestParams(messages=[], max_tokens=1)
            return types.InputRequiredResult(
                input_requests={"it": types.CreateMessageRequest(params=thought)},
                request_state="s-2",
            )
        case "change":
            await BUS.publish(ToolsListChanged())
            await context.session.send_tool_list_changed()
    return said("done")


def asks(
    context: Any, params: types.CallToolRequestParams
) -> types.CallToolResult | types.InputRequiredResult:
    able = context.session.client_capabilities
    if able is None or able.elicitation is None:
        raise MCPError(-32021, "a client that asks nobody")
    told = params.input_responses or {}
    answer = told.get("branch")
    if isinstance(answer, types.ElicitResult):
        keep(LOG.with_suffix(".answers"), [params.request_state, answer.action])
        if answer.action != "accept":
            return said("nothing was done")
        return said(f"merged into {(answer.content or {})['name']}")
    wish = types.ElicitRequestFormParams(
        message="Into which branch?",
        requested_schema={
            "type": "object",
            "properties": {"name": {"type": "string", "minLength": 1}},
            "required": ["name"],
        },
    )
    return types.InputRequiredResult(
        input_requests={"branch": types.ElicitRequest(params=wish)}, request_state="s-1"
    )


def said(text: str, structured: Any = None) -> types.CallToolResult:
    content: list[Any] = [types.TextContent(type="text", text=text)]
    if structured is None:
        return types.CallToolResult(content=content)
    return types.CallToolResult(content=content, structured_content=structured)


SERVER = Server(
    "tools",
    version="1",
    on_list_tools=listed,
    on_call_tool=called,
    on_subscriptions_listen=ListenHandler(BUS),
)


async def over_lines() -> None:
    options = SERVER.create_initialization_options(NotificationOptions(tools_changed=True))
    async with stdio_server() as (read, write):
        await SERVER.run(read, write, options)


async def over_http() -> None:
    class Gate:
        """Lets in whoever has the key, where there is one; and notes the headers that came."""

        def __init__(self, app: Any) -> None:
            self.app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                headers = {name.decode(): value.decode() for name, value in scope["headers"]}
                keep(LOG.with_suffix(".headers"), headers)
                key = os.environ.get("TOOLS_KEY")
                if key and headers.get("authorization") != f"Bearer {key}":
                    await send({"type": "http.response.start", "status": 401, "headers": []})
                    await send({"type": "http.response.body", "body": b"no"})
                    return
            await self.app(scope, receive, send)

    options = uvicorn.Config(
        Gate(SERVER.streamable_http_app()),
        port=0,
        log_level="critical",
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(options)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(server.serve)
        while not server.started:
            await anyio.sleep(0.01)
        print(server.servers[0].sockets[0].getsockname()[1], flush=True)


if __name__ == "__main__":
    anyio.run(over_http if HOW == "http" else over_lines)
