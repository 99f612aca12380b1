"""An MCP server of the standard library alone, which starts at once: `DEFINITIONS LOG`.

It speaks the protocol of 2025-11-25 and has the manners that no SDK has: it says what is no JSON,
sends what nobody asked for, and tells what it can see of the machine.
"""

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

DEFINITIONS, LOG = Path(sys.argv[1]), Path(sys.argv[2])


def say(message: object) -> None:
    sys.stdout.write((message if isinstance(message, str) else json.dumps(message)) + "\n")
    sys.stdout.flush()


def answer(request: Any) -> Any:
    match request["method"]:
        case "initialize":
            return {
                "protocolVersion": "2025-11-25",
                "capabilities": {"tools": {"listChanged": True}},
                "serverInfo": {"name": "lines", "version": "1"},
            }
        case "tools/list":
            return listed((request.get("params") or {}).get("cursor"))
        case "tools/call":
            return called(request["params"]["name"], request["params"].get("arguments") or {})
    return None


def listed(cursor: str | None) -> Any:
    """All tools; where the file says how many `pages` there are, those of one page on each."""
    with LOG.with_suffix(".lists").open("a", encoding="utf-8") as log:
        log.write(json.dumps(cursor) + "\n")
    found = json.loads(DEFINITIONS.read_text("utf-8"))
    if isinstance(found, list):
        return {"tools": found}
    following = int(cursor or "0") + 1
    more = {"nextCursor": str(following)} if following < found["pages"] else {}
    return {"tools": found["tools"], **more}


def called(name: str, given: Any) -> Any:
    with LOG.open("a", encoding="utf-8") as log:
        log.write(json.dumps([name, given]) + "\n")
    match name:
        case "garble":
            say("this is no message\n[1, 2")
            say('{"jsonrpc": "2.0", "method": "notifications/message", "params": {"a": NaN}}')
        case "flood":
            line = json.dumps({"jsonrpc": "2.0", "method": "notifications/progress", "params": {}})
            for _ in range(3000):
                sys.stdout.write(line + "\n")
        case "endless":
            sys.stdout.write("x" * 12_000_000)
            sys.stdout.flush()
        case "leave_child":
            child = subprocess.Popen(["/bin/sleep", "600"], stdin=subprocess.DEVNULL)
            return text(str(child.pid))
        case "look":
            return text(
                json.dumps(
                    {
                        "env": dict(os.environ),
                        "cwd": os.getcwd(),
                        "pid": os.getpid(),
                        "group": os.getpgid(0),
                        "core": resource.getrlimit(resource.RLIMIT_CORE)[0],
                        "files": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
                        "argv": sys.argv,
                        "privileges": Path("/proc/self/status").read_text("utf-8"),
                    }
                )
            )
        case "change":
            say({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"})
        case "nap":
            time.sleep(1.5)
        case "typed":
            return {**text("typed"), "structuredContent": given["back"]}
    return text("done")


def text(said: str) -> Any:
    return {"content": [{"type": "text", "text": said}]}


def main() -> None:
    for line in sys.stdin:
        request = json.loads(line)
        if "id" not in request or "method" not in request:
            continue
        found = answer(request)
        if found is None:
            error = {"code": -32601, "message": "Method not found"}
            say({"jsonrpc": "2.0", "id": request["id"], "error": error})
        else:
            say({"jsonrpc": "2.0", "id": request["id"], "result": found})


if __name__ == "__main__":
    main()
