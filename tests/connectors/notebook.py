"""A small plugin over HTTP that keeps every rule, and the service that stands in for it."""

from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from typing import Annotated

from pydantic import BaseModel, Field, JsonValue

from connectors.api import Api, api_of
from connectors.connector import Connector, Outcome
from connectors.factories import ConnectionSettings, Given
from connectors.native import NativeConnector, action
from connectors.outcome import Dialect
from connectors.plugin import Plugin
from connectors.spec import ActionSpec, CallContext, Sink
from connectors.testing import Asked, Example, HttpConformance, Said, Service
from connectors.unified.steps import after, before, output_of

NoteId = Annotated[str, Sink.RESOURCE_ID, Field(description="The note's id.")]
Text = Annotated[str, Sink.CONTENT, Field(description="What it says.")]


class Note(BaseModel):
    """One note."""

    id: str
    text: str


class Way:
    """To the service that was connected last: one call is tried at a time."""

    now: Api

    @property
    def ask(self) -> Callable[..., Awaitable[Outcome]]:
        return self.now.ask


def connect(settings: ConnectionSettings, given: Given) -> Connector:
    way, connector = _described(settings.name)
    way.now = api_of(settings, given, dialect=Dialect(code_at=("code",), message_at=("message",)))
    return connector


@cache
def _described(connection: str) -> tuple[Way, Connector]:
    """Once: to make schemas of five functions takes longer than all that a rule calls."""
    api = Way()

    @action(effect="read", egress=False, reads_as="trusted")
    async def get(
        note_id: NoteId, context: CallContext, spec: ActionSpec
    ) -> Annotated[Outcome, Note]:
        """Read a note."""
        return await api.ask(spec, context, "GET", "notes", note_id)

    @action(
        effect="keyed",
        idempotency={"in": "header", "name": "Idempotency-Key", "window_s": 86400},
        undo={"action": "remove", "args": [{"ref": "result/id", "to": "note_id"}]},
    )
    async def put(text: Text, context: CallContext, spec: ActionSpec) -> Annotated[Outcome, Note]:
        """Write a note; under one key it is written once."""
        return await api.ask(spec, context, "POST", "notes", body={"text": text})

    @action(effect="idempotent")
    async def remove(
        note_id: NoteId, context: CallContext, spec: ActionSpec
    ) -> Annotated[Outcome, JsonValue]:
        """Remove a note."""
        return await api.ask(spec, context, "DELETE", "notes", note_id)

    @action(effect="lookup", lookup={"action": "find", "by": "reference"})
    async def pin(text: Text, context: CallContext, spec: ActionSpec) -> Annotated[Outcome, Note]:
        """Pin a note to a wall that has room, with our reference on it."""
        room = await output_of(api.ask(before(spec), context, "GET", "room"))
        reference = context.idempotency_key
        body: dict[str, JsonValue] = {"text": text, "reference": reference, "wall": room}
        pinned = await api.ask(spec, context, "POST", "wall", body=body)
        query = {"reference": reference}
        back = api.ask(before(spec), context, "GET", "wall", query=query, mapped=_first)
        return await after(pinned, output_of(back))

    @action(effect="read", egress=False, reads_as="trusted")
    async def find(
        reference: Annotated[str, Field(description="The reference on it.")],
        context: CallContext,
        spec: ActionSpec,
    ) -> Annotated[Outcome, list[Note]]:
        """Find what was pinned under a reference."""
        return await api.ask(spec, context, "GET", "wall", query={"reference": reference})

    return api, NativeConnector("notebook", connection, [get, put, remove, pin, find])


def _first(body: JsonValue) -> JsonValue:
    if not isinstance(body, list) or not body:
        raise TypeError("expected what was pinned")
    return body[0]


class Notebook:
    """What stands in for the service."""

    def __init__(self) -> None:
        self.notes: dict[str, str] = {"n0": "Buy bread."}
        self.wall: dict[str, list[dict[str, JsonValue]]] = {}
        self.keys: dict[str, str] = {}
        self.effects = 0

    def handle(self, asked: Asked) -> Said:
        """Do what a request says."""
        found: Mapping[str, JsonValue] = asked.body if isinstance(asked.body, dict) else {}
        match asked.method, *asked.segments:
            case "GET", "notes", name if name in self.notes:
                return Said(200, {"id": name, "text": self.notes[name]})
            case "POST", "notes":
                key = asked.headers.get("idempotency-key", "")
                if key not in self.keys:
                    self.effects += 1
                    self.keys[key] = f"n{self.effects}"
                    self.notes[self.keys[key]] = str(found["text"])
                name = self.keys[key]
                return Said(201, {"id": name, "text": self.notes.get(name, "")})
            case "DELETE", "notes", name:
                self.effects += name in self.notes
                self.notes.pop(name, None)
                return Said(204, b"")
            case "GET", "room":
                return Said(200, 1)
            case "POST", "wall":
                self.effects += 1
                note = {"id": f"w{self.effects}", "text": found["text"]}
                self.wall.setdefault(str(found["reference"]), []).append(note)
                return Said(201, note)
            case "GET", "wall":
                return Said(200, [*self.wall.get(asked.query["reference"], [])])
        return Said(404, {"code": "N404", "message": "there is no such thing"})


class NotebookConformance(HttpConformance):
    """The suite over it."""

    plugin = Plugin(connect, protocol=1)

    def service(self) -> Service:
        self.book = Notebook()
        return Service(self.book.handle)

    def example(self) -> Example:
        async def effects() -> int:
            return self.book.effects

        async def state() -> JsonValue:
            return dict(self.book.notes)

        return Example(
            read=("own.get", {"note_id": "n0"}),
            keyed=("own.put", {"text": "Hello"}),
            undone=("own.put", {"text": "Gone soon"}),
            found=("own.pin", {"text": "Look"}),
            refused=("own.get", {"note_id": "none"}),
            effects=effects,
            state=state,
        )
