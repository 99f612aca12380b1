"""A connection whose document comes and goes: what is offered meanwhile, and what is told of it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from connector_cases import listening
from pydantic import JsonValue

from connectors.catalog import Catalog
from connectors.credentials import Vault
from connectors.errors import ConfigurationError, Refused, Unavailable
from connectors.factories import ConnectionSettings
from connectors.openapi import compiled
from connectors.openapi.compiled import Compiled, read, written
from connectors.openapi.extract import extract
from connectors.opening import open_registry
from connectors.registry import Registry
from connectors.shelf import Shelf
from connectors.source import Connection, Skipped
from connectors.spec import ActionSpec, JsonObject
from connectors.testing import call_context

THING: JsonObject = {
    "type": "object",
    "properties": {"next": {"$ref": "#/components/schemas/Thing"}, "id": {"type": "string"}},
}


def document(*names: str, **more: JsonValue) -> JsonObject:
    """A document with a read for each name, and one operation that cannot be offered."""
    ref: JsonObject = {"$ref": "#/components/schemas/Thing"}
    answer: JsonObject = {
        "200": {"description": "", "content": {"application/json": {"schema": ref}}}
    }
    paths: JsonObject = {
        f"/{name}": {"get": {"operationId": name, "responses": answer}} for name in names
    }
    form: JsonObject = {"required": True, "content": {"application/xml": {"schema": {}}}}
    paths["/form"] = {"post": {"operationId": "send_form", "requestBody": form, "responses": {}}}
    return {"openapi": "3.0.3", "paths": paths, "components": {"schemas": {"Thing": THING}}, **more}


@dataclass
class Doc:
    """A service that serves a document, while it is up, and counts who asked for it."""

    text: bytes = b""
    status: int = 200
    asked: int = 0
    port: int = 0
    paths: list[str] = field(default_factory=list)

    def says(self, found: JsonObject) -> None:
        self.status, self.text = 200, json.dumps(found).encode()


@asynccontextmanager
async def service() -> AsyncIterator[Doc]:
    doc = Doc()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        doc.asked += 1
        doc.paths.append(head.split()[1].decode())
        body = doc.text if doc.status == 200 else b"{}"
        if b" /openapi.json " not in head:
            body = b'{"id": "1"}'
        line = f"HTTP/1.1 {doc.status} X\r\ncontent-type: application/json\r\n"
        writer.write(
            f"{line}content-length: {len(body)}\r\nconnection: close\r\n\r\n".encode() + body
        )
        await writer.drain()
        writer.close()

    async with listening(serve) as port:
        doc.port = port
        yield doc


@asynccontextmanager
async def registry(
    doc: Doc, shelf: Shelf | None, overlay: Path | None = None
) -> AsyncIterator[Registry]:
    host = f"127.0.0.1:{doc.port}"
    options: JsonObject = {"overlay": str(overlay)} if overlay else {}
    settings = ConnectionSettings(
        "things", "openapi", f"http://{host}", options=options, allow_hosts=(host,)
    )
    async with open_registry([settings], Vault(lambda _: ""), shelf) as found:
        yield found


def stands(found: Registry) -> Connection:
    (one,) = found.connections()
    return one


def names(catalog: Catalog) -> list[str]:
    return [each.name for each in catalog]


def anything(_: Catalog) -> None:
    """Lets every catalogue pass."""


async def test_a_document_that_cannot_be_fetched_is_offered_as_it_was_kept(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "kept")
    async with service() as doc:
        doc.says(document("list_things"))
        async with registry(doc, shelf) as found:
            first = [*await found.load()]
            ready = stands(found)
        doc.status = 503
        async with registry(doc, shelf) as found:
            second = [*await found.load()]
            stale = stands(found)

    assert ready.stale is None
    assert ready.skipped == (Skipped("send_form", "it takes XML: application/xml"),)
    assert first == second
    assert [each.digest for each in first] == [each.digest for each in second]
    assert stale.stale is not None
    assert "status 503" in stale.stale.reason
    assert stale.stale.since > 0
    assert stale.skipped == ready.skipped


async def test_what_was_kept_is_called_as_if_the_document_were_there(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    async with service() as doc:
        doc.says(document("list_things"))
        async with registry(doc, shelf) as found:
            await found.load()
        doc.text = b"<html>"
        async with registry(doc, shelf) as found:
            (action,) = await found.load()
            outcome = await found.call(action, {}, call_context())

    assert doc.paths[-1] == "/list_things"
    assert getattr(outcome, "output", None) == {"id": "1"}
    assert stands(found).stale is not None


async def test_a_document_that_changed_is_read_anew_and_one_that_did_not_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf, kept = Shelf(tmp_path), []
    async with service() as doc:
        for each in (document("one"), document("one"), document("one", "two")):
            doc.says(each)
            async with registry(doc, shelf) as found:
                told = names(await found.load())
            text = shelf.read("things")
            compiled_now = read(text) if text else None
            assert compiled_now is not None
            kept.append((told, compiled_now.digest, compiled_now.read_at))

    assert [told for told, _, _ in kept] == [
        ["things.one"],
        ["things.one"],
        ["things.one", "things.two"],
    ]
    assert kept[0][1] == kept[1][1] != kept[2][1]
    assert kept[0][2] < kept[1][2] < kept[2][2]


async def test_an_overlay_that_changed_holds_over_what_was_kept(tmp_path: Path) -> None:
    shelf, overlay = Shelf(tmp_path / "kept"), tmp_path / "overlay.yaml"
    async with service() as doc:
        doc.says(document("one"))
        async with registry(doc, shelf) as found:
            (before,) = await found.load()
        doc.status = 500
        overlay.write_text("actions: {one: {reads_as: trusted}}", encoding="utf-8")
        async with registry(doc, shelf, overlay) as found:
            (after,) = await found.load()
            with pytest.raises(Refused, match="not what it was"):
                await found.call(before, {}, call_context())

    assert (before.reads_as, after.reads_as) == ("untrusted", "trusted")


async def test_a_connection_that_never_answered_is_absent_until_it_does(tmp_path: Path) -> None:
    async with service() as doc:
        doc.status = 503
        async with registry(doc, None) as found:
            none = await found.load()
            absent = stands(found)
            await found.ask_again(anything)
            still = stands(found)
            doc.says(document("one"))
            await found.ask_again(anything)
            now, here = found.catalog, stands(found)
            asked = doc.asked
            await found.ask_again(anything)

    assert (len(none), absent.actions) == (0, 0)
    assert absent.absent is not None
    assert "status 503" in absent.absent
    assert still.absent == absent.absent
    assert names(now) == ["things.one"]
    assert (len(none), here.absent, here.actions) == (0, None, 1)
    assert doc.asked == asked, "whoever answered is not asked again"


async def test_a_stale_connection_is_ready_once_its_document_is_there(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    async with service() as doc:
        doc.says(document("one"))
        async with registry(doc, shelf) as found:
            await found.load()
        doc.status = 503
        async with registry(doc, shelf) as found:
            (old,) = await found.load()
            begun = found.catalog
            doc.says(document("one", "two", info={"title": "new"}))
            await found.ask_again(anything)
            new = found.catalog

    assert names(begun) == ["things.one"], "who began with a catalogue keeps it"
    assert names(new) == ["things.one", "things.two"]
    assert stands(found).stale is None
    assert new.get("things.one") == old


async def test_what_does_not_fit_the_policies_when_it_comes_is_withdrawn_and_says_why() -> None:
    def never(_: Catalog) -> None:
        raise ConfigurationError("the policies do not fit")

    async with service() as doc:
        doc.status = 429
        async with registry(doc, None) as found:
            await found.load()
            doc.says(document("one"))
            await found.ask_again(never)
            refused = stands(found)
            action = ActionSpec(name="things.one", input_schema={}, effect="read")
            with pytest.raises(Unavailable, match="do not fit"):
                await found.call(action, {}, call_context())

    assert (refused.absent, refused.actions, len(found.catalog)) == (
        "the policies do not fit",
        0,
        0,
    )


@pytest.mark.parametrize("status", [401, 404])
async def test_a_service_that_answers_with_no_document_at_all_stops_the_start(status: int) -> None:
    async with service() as doc:
        doc.status = status
        async with registry(doc, None) as found:
            with pytest.raises(ConfigurationError, match=f"status {status}"):
                await found.load()


async def test_what_was_kept_of_another_address_is_not_taken(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    async with service() as doc, service() as other:
        doc.says(document("one"))
        other.status = 503
        async with registry(doc, shelf) as found:
            await found.load()
        async with registry(other, shelf) as found:
            assert len(await found.load()) == 0
            assert stands(found).absent is not None


def kept() -> bytes:
    found = extract(document("one", "two"), 40)
    return written(Compiled("http://x/openapi.json", "abc", 12.5, 40, found))


def test_what_is_kept_is_what_was_extracted() -> None:
    again = read(kept())

    assert again == Compiled(
        "http://x/openapi.json", "abc", 12.5, 40, extract(document("one", "two"), 40)
    )


def test_operations_that_reach_the_same_definitions_share_them() -> None:
    again = read(kept())
    assert again is not None
    one, two = (each.output.schema for each in again.found.operations)

    assert one is not None
    assert two is not None
    assert one["$defs"] is two["$defs"]


@pytest.mark.parametrize("at", [0, 40, 66, 200, -2])
def test_a_damaged_file_is_as_good_as_none(at: int) -> None:
    text = bytearray(kept())
    text[at] ^= 1

    assert read(bytes(text)) is None


def test_a_file_of_another_version_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    text = kept()
    monkeypatch.setattr(compiled, "FORMAT", compiled.FORMAT + 1)

    assert read(text) is None
    assert read(b"") is None


def test_a_shelf_that_cannot_be_used_is_only_slower(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    shelf = Shelf(tmp_path / "file")
    shelf.write("things", b"x")

    assert shelf.read("things") is None


def test_only_their_owner_may_read_what_connections_keep(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "kept")
    shelf.write("things", b"one")
    shelf.write("things", b"two")

    (file,) = (tmp_path / "kept").iterdir()
    assert file.read_bytes() == b"two"
    assert file.stat().st_mode & 0o777 == 0o600
