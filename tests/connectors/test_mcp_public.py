"""Public servers, as they are published: discovered, reviewed, and used; one of them over HTTP.

They are looked for in `LAMGATE_SERVERS`, or else in a folder of the user's caches, which
`tests/connectors/install_servers.sh` fills; what is not there is skipped.
"""

import json
import os
import smtplib
from pathlib import Path

import pytest
from mcp_world import server
from real_servers import maildev

from connectors.connector import Applied

FOLDER = Path(os.environ.get("LAMGATE_SERVERS", Path.home() / ".cache" / "lamgate" / "servers"))
NODE = FOLDER / "node_modules" / "@modelcontextprotocol"
PYTHON = FOLDER / "mcp" / "bin"


def node(name: str, *arguments: str) -> tuple[str, ...]:
    script = NODE / f"server-{name}" / "dist" / "index.js"
    if not script.exists():
        pytest.skip(f"server-{name} is not in {FOLDER}: run tests/connectors/install_servers.sh")
    return ("node", str(script), *arguments)


def python(name: str, *arguments: str) -> tuple[str, ...]:
    program = PYTHON / f"mcp-server-{name}"
    if not program.exists():
        pytest.skip(
            f"mcp-server-{name} is not in {FOLDER}: run tests/connectors/install_servers.sh"
        )
    return (str(program), *arguments)


async def test_files_are_written_and_read_within_the_folder(tmp_path: Path) -> None:
    async with server(node("filesystem", str(tmp_path))) as found:
        written = await found.call(
            "write_file", {"path": str(tmp_path / "a.txt"), "content": "hello"}
        )
        read = await found.call("read_text_file", {"path": str(tmp_path / "a.txt")})
        outside = await found.call("read_text_file", {"path": "/etc/passwd"})
        count = len(found.catalog)

    assert count >= 11
    assert isinstance(written, Applied)
    assert (tmp_path / "a.txt").read_text("utf-8") == "hello"
    assert read == Applied({"content": "hello"})
    assert not isinstance(outside, Applied)


async def test_a_memory_keeps_what_it_is_told(tmp_path: Path) -> None:
    options = {"env": {"MEMORY_FILE_PATH": str(tmp_path / "memory.json")}}
    entity = {"name": "Ada", "entityType": "person", "observations": ["likes mugs"]}
    async with server(node("memory"), options={**options}) as found:
        made = await found.call("create_entities", {"entities": [entity]})
        graph = await found.call("read_graph")

    assert isinstance(made, Applied)
    assert isinstance(graph, Applied)
    assert isinstance(graph.output, dict)
    assert graph.output["entities"] == [entity]


async def test_everything_echoes_and_adds() -> None:
    async with server(node("everything")) as found:
        echoed = await found.call("echo", {"message": "hi"})
        names = sorted(each.name for each in found.catalog)

    assert echoed == Applied({"text": "Echo: hi"})
    assert len(names) >= 8


async def test_the_time_is_told() -> None:
    async with server(python("time", "--local-timezone", "UTC")) as found:
        told = await found.call("get_current_time", {"timezone": "Asia/Tokyo"})

    assert isinstance(told, Applied)
    assert "Asia/Tokyo" in json.dumps(told.output)


async def test_a_repository_tells_how_it_stands(tmp_path: Path) -> None:
    program = python("git")
    options = {"env": {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}}
    async with server(program, options={**options}) as found:
        made = sorted(each.name for each in found.catalog)

    assert "tools.git_status" in made
    assert len(made) >= 10


async def test_a_mailbox_that_is_a_server_over_http_is_searched(tmp_path: Path) -> None:
    with maildev(tmp_path) as post, smtplib.SMTP(*post.smtp.split(":")) as sender:
        letter = "From: a@example.com\r\nTo: ann@example.com\r\nSubject: Your refund\r\n\r\nSorry."
        sender.sendmail("a@example.com", ["ann@example.com"], letter)
        async with server(url=f"{post.mailbox.url}/mcp") as found:
            names = sorted(each.name for each in found.catalog)
            told = await found.call("maildev_search_emails", {"to": "ann@example.com"})
            other = await found.call("maildev_search_emails", {"to": "bob@example.com"})

    assert "tools.maildev_get_email" in names
    assert isinstance(told, Applied)
    assert "Your refund" in json.dumps(told.output)
    assert isinstance(other, Applied)
    assert "Your refund" not in json.dumps(other.output)
