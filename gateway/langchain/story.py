"""What a client says to a gateway and when: from words to how they ended, or whom they wait for.

A generator of what is to be sent or waited for, so that it is written once for both kinds of
client: it gets the answers and looks at no clock but the one that it is handed.

    words ─▶ POST /v1/requests, under one key until it is answered
          ─▶ GET the request until it is planned, or cannot be
          ─▶ GET the run until it has ended, or waits for a person ─▶ what waits for an approval
"""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, JsonValue

JsonObject = dict[str, JsonValue]
LONGEST_WAIT_S = 60.0  # the gateway answers after a minute at the latest
_PAUSES_S = (0.1, 0.2, 0.5, 1.0, 2.0)
_ENDED = frozenset("succeeded failed undone compensation_incomplete cancelled quarantined".split())
_PLANNING = frozenset({"received", "planning"})
_BY_ITSELF = frozenset({"rate_limit", "retry", "service", "callback", "storage"})


@dataclass(frozen=True)
class Send:
    """One HTTP request, to be answered with a `Reply`, or None where no answer came."""

    method: Literal["GET", "POST"]
    path: str
    body: JsonObject | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout_s: float = 30.0


@dataclass(frozen=True)
class Pause:
    """So long nothing is sent."""

    seconds: float


@dataclass(frozen=True)
class Reply:
    """One answer; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: JsonValue


Story = Generator[Send | Pause, Reply | None, "Handled"]


class Ask(BaseModel):
    """A request in plain words; the same `key` again is the same request."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    key: str
    inputs: JsonObject | None = None
    model: str | None = None


class Waiting(BaseModel):
    """One approval that a run waits for: whoever has the role decides at `link`."""

    model_config = ConfigDict(frozen=True)

    id: str
    role: str | None = None
    reason: str | None = None
    link: str


class Handled(BaseModel):
    """How far a request came; `status` is the run's where there is one, or else the request's.

    `code` says why it did not succeed. `questions` want answers, `approvals` a person; a `replayed`
    request was made before, under the same key.
    """

    model_config = ConfigDict(frozen=True)

    status: str
    request: str
    run: str | None = None
    waiting_for: str | None = None
    code: str | None = None
    result: JsonValue = None
    questions: tuple[JsonObject, ...] = ()
    approvals: tuple[Waiting, ...] = ()
    detail: str | None = None
    uncertain: tuple[str, ...] = ()
    replayed: bool = False

    @property
    def has_succeeded(self) -> bool:
        """Whether all of it happened, and nothing is in doubt."""
        return self.status == "succeeded"

    @property
    def may_go_on(self) -> bool:
        """Whether it is still under way, or would be if somebody did what it waits for."""
        return self.status in (*_PLANNING, "planned", "needs_answer", "queued", "running",
                               "waiting", "cancelling")  # fmt: skip


class LamgateError(Exception):
    """The gateway did not take the request, or does not answer; `code` is one of its own.

    `no-gateway`: nothing that is one answers. What was taken goes on there all the same: ask again
    under the same key.
    """

    def __init__(self, code: str, detail: str, *, fix: str = "", status: int | None = None) -> None:
        super().__init__(f"{code}: {detail}" + (f" ({fix})" if fix else ""))
        self.code = code
        self.detail = detail
        self.fix = fix
        self.status = status


@dataclass
class Teller:
    """Tells the story of one request; `url` is for links that people open."""

    url: str
    clock: Callable[[], float]  # seconds that only go forward
    until: float
    for_people: bool = False  # whether it waits for approvals and answers too

    def story(self, ask: Ask) -> Story:
        """Ask, and wait until it has ended, it waits for somebody, or the time is up."""
        said: JsonObject = {"text": ask.text, "inputs": ask.inputs, "model": ask.model}
        body: JsonObject = {name: each for name, each in said.items() if each is not None}
        prefer = max(1, int(min(self.left(), LONGEST_WAIT_S)))
        headers = {"idempotency-key": ask.key, "prefer": f"wait={prefer}"}
        timeout_s = prefer + LONGEST_WAIT_S / 2
        taken = yield from self._told(Send("POST", "/v1/requests", body, headers, timeout_s))
        replayed = taken.headers.get("idempotent-replayed") == "true"
        request = _object(taken.body)
        # Without a wait, or where it was cut short, the answer has nothing but the id.
        if "status" not in request:
            request = yield from self._thing(f"/v1/requests/{_part(request.get('id'))}")
        request = yield from self._planned(request)
        run = request.get("run")
        if not isinstance(run, str):
            return _of_request(request, replayed)
        return (yield from self._ended(request, run, replayed))

    def left(self) -> float:
        """How much time there is."""
        return max(0.0, self.until - self.clock())

    def _planned(self, request: JsonObject) -> Generator[Send | Pause, Reply | None, JsonObject]:
        path = f"/v1/requests/{_part(request.get('id'))}"
        turn = 0
        while _is_planning(request) and (yield from self._pause(turn)):
            turn += 1
            request = yield from self._thing(path)
        return request

    def _ended(self, request: JsonObject, run: str, replayed: bool) -> Story:
        path, turn = f"/v1/runs/{_part(run)}", 0
        row = yield from self._thing(path)
        while not self._is_over(row) and (yield from self._pause(turn)):
            turn += 1
            row = yield from self._thing(path)
        approvals: tuple[Waiting, ...] = ()
        if row.get("waiting_for") == "approval":
            found = yield from self._told(Send("GET", f"/v1/approvals?state=open&run={_part(run)}"))
            rows = found.body if isinstance(found.body, list) else []
            approvals = tuple(self._waiting(_object(each)) for each in rows)
        return Handled(
            status=str(row.get("status")),
            request=str(request.get("id")),
            run=run,
            waiting_for=_text(row.get("waiting_for")),
            code=_text(row.get("code")),
            result=row.get("result"),
            approvals=approvals,
            uncertain=tuple(map(str, _list(row.get("uncertain")))),
            replayed=replayed,
        )

    def _is_over(self, row: JsonObject) -> bool:
        if row.get("status") in _ENDED:
            return True
        waits_for = row.get("waiting_for")
        is_for_people = row.get("status") == "waiting" and waits_for not in _BY_ITSELF
        return is_for_people and not self.for_people

    def _waiting(self, row: JsonObject) -> Waiting:
        found = str(row.get("id"))
        return Waiting(
            id=found,
            role=_text(row.get("role")),
            reason=_text(row.get("reason")),
            link=f"{self.url}/v1/approvals/{_part(found)}",
        )

    def _thing(self, path: str) -> Generator[Send | Pause, Reply | None, JsonObject]:
        return _object((yield from self._told(Send("GET", path))).body)

    def _told(self, send: Send) -> Generator[Send | Pause, Reply | None, Reply]:
        """An answer that is none of a failure; what may be sent again is, until the time is up."""
        turn = 0
        while True:
            reply = yield send
            if reply is not None and reply.status < 400:
                return reply
            if not _may_be_sent_again(reply) or not (yield from self._pause(turn, reply)):
                raise _problem(reply)
            turn += 1

    def _pause(
        self, turn: int, reply: Reply | None = None
    ) -> Generator[Send | Pause, Reply | None, bool]:
        """Wait a little, longer each time; False where there is no time for it."""
        seconds = _PAUSES_S[min(turn, len(_PAUSES_S) - 1)]
        after = reply.headers.get("retry-after", "") if reply else ""
        if after.isdecimal():
            seconds = max(seconds, float(after))
        if seconds >= self.left():
            return False
        yield Pause(seconds)
        return True


def _is_planning(request: JsonObject) -> bool:
    is_starting = request.get("status") == "planned" and request.get("run") is None
    return request.get("status") in _PLANNING or is_starting


def _may_be_sent_again(reply: Reply | None) -> bool:
    """Nothing but reads, and what has a key, is sent: twice is once."""
    return reply is None or reply.status in (429, 503)


def _of_request(request: JsonObject, replayed: bool) -> Handled:
    return Handled(
        status=str(request.get("status")),
        request=str(request.get("id")),
        code=_text(request.get("code")),
        questions=tuple(_object(each) for each in _list(request.get("questions"))),
        detail=_why(request),
        replayed=replayed,
    )


def _why(request: JsonObject) -> str | None:
    """Why there is no run: what the planner said, or every violation of its last draft."""
    told = [str(_object(each).get("message")) for each in _list(request.get("violations"))]
    said = _text(request.get("unable")) or _text(request.get("message"))
    return said or "; ".join(told) or None


def _problem(reply: Reply | None) -> LamgateError:
    if reply is None:
        return LamgateError("no-gateway", "no gateway answers", fix="Ask again under the same key.")
    found = _object(reply.body)
    if "code" not in found:
        return LamgateError(
            "no-gateway", f"what answers is no gateway (status {reply.status})", status=reply.status
        )
    fix = str(found.get("fix") or "")
    return LamgateError(str(found["code"]), str(found.get("detail")), fix=fix, status=reply.status)


def _object(value: JsonValue) -> JsonObject:
    return value if isinstance(value, dict) else {}


def _list(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else []


def _text(value: JsonValue) -> str | None:
    return value if isinstance(value, str) else None


def _part(value: JsonValue) -> str:
    return quote(str(value), safe="")
