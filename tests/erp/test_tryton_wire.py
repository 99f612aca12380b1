"""What is said to Tryton, and what its answers mean, against a server that is played."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

import pytest
from connector_cases import Outside, answer, raw_server
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue
from tryton_cases import LOGIN, Desk, connected

from connectors.builtin.tryton import accounting_table, commerce_table
from connectors.builtin.tryton.records import mark_of, marked, unmarked
from connectors.builtin.tryton.states import Button
from connectors.builtin.tryton.wire import as_day, as_decimal, day, decimal, moment
from connectors.connector import Connector, Unreadable
from connectors.errors import ConnectorError, Kind, Refused, Unavailable, Uncertain
from connectors.spec import JsonObject
from connectors.testing import Asked, ConnectorConformance, Example, Said, Service, Tier
from connectors.unified.money import told_exactly

KEY = "rest-key-of-nobody"
HTML = b"<!doctype html>\n<title>404 Not Found</title>"


def unpacked(text: str) -> JsonValue:
    found: JsonValue = json.loads(base64.urlsafe_b64decode(text))
    return found


def party(number: int = 1, name: str = "Customer 1") -> JsonObject:
    return {"id": number, "__name__": "party.party", "name": name, "contact_mechanisms": []}


async def test_a_read_names_its_fields_and_whose_books_are_meant() -> None:
    outside = Outside()
    async with raw_server(answer(200, party())) as raw:
        desk = Desk(connected(raw.url, KEY, outside))
        told = await desk.do("party_get", {"id": "1"})
    await outside.close()
    head = raw.head().splitlines()
    method, target, _ = head[0].split()
    parts = urlsplit(target)
    headers = dict(each.lower().split(": ", 1) for each in head[1:])
    context = next(each.split(": ")[1] for each in head if each.lower().startswith("x-tryton"))

    assert (method, parts.path) == ("GET", "/erp/rest/model/party.party/1")
    assert [each for name, each in parse_qsl(parts.query) if name == "f"] == [
        *accounting_table.TABLES["party"].fields
    ]
    assert headers["authorization"] == f"bearer {KEY}"
    assert headers["accept-language"] == "en"
    assert unpacked(context) == {"company": 1, "companies": [1]}
    assert (told["id"], told["name"], told["emails"]) == ("1", "Customer 1", [])


@dataclass
class Played:
    """A Tryton that is played: what it is asked, and rows to answer with, by model."""

    rows: dict[str, list[JsonObject]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    heeds: bool = True  # what it is to search for

    def answer(self, asked: Asked) -> Said:
        self.asked.append(asked)
        _, _, _, model, *more = asked.segments
        kept = self.rows.setdefault(model, [])
        if asked.method == "POST" and not more:
            assert isinstance(asked.body, dict)
            kept.append({"id": len(kept) + 1, **asked.body})
            return Said(200, _read(kept[-1], asked))
        if asked.method == "GET" and not more:
            return Said(200, [_read(each, asked) for each in kept if self._fits(each, asked)])
        found = [row for row in kept if str(row["id"]) == more[0]]
        if not found:
            return Said(404, HTML, {"content-type": "text/html"})
        if asked.method == "DELETE":
            kept.remove(found[0])
            return Said(204, b"")
        return Said(200, found[0])

    def _fits(self, row: JsonObject, asked: Asked) -> bool:
        domain = unpacked(asked.query["d"])
        assert isinstance(domain, list)
        return not self.heeds or all(_holds(row, each) for each in domain)


def _read(row: JsonObject, asked: Asked) -> JsonObject:
    """The fields of a record that are asked for."""
    fields = {"id", *(each.partition(".")[0] for name, each in asked.pairs if name == "f")}
    return {name: each for name, each in row.items() if name in fields}


def _holds(row: JsonObject, clause: JsonValue) -> bool:
    assert isinstance(clause, list)
    if clause[0] == "OR":
        return any(_holds(row, each) for each in clause[1:])
    place, operator, value = clause
    if operator == "like":
        found = str(row.get(str(place), ""))
        end = str(value).rstrip("%")[1:]
        return end in found if str(value).endswith("%") else found.endswith(end)
    return place != "id" or row["id"] == value


@pytest.fixture
def played() -> Iterator[tuple[Played, Service]]:
    tryton = Played()
    service = Service(tryton.answer)
    service.start()
    yield tryton, service
    service.stop()


async def test_a_return_is_written_as_tryton_reads_it(played: tuple[Played, Service]) -> None:
    tryton, service = played
    tryton.rows["sale.sale"] = [{"id": 7, "party": {"id": 3}, "lines": [{"id": 31}, {"id": 32}]}]
    tryton.rows["sale.complaint.type"] = [{"id": 2}]
    outside = Outside()
    desk = Desk(connected(service.url, KEY, outside))
    back: JsonObject = {
        "order_id": "7",
        "lines": [{"line_id": "32", "quantity": 1.5}],
        "reason": "broken",
    }
    await desk.end("return_create", back, key="K1")
    await outside.close()
    asked = tryton.asked

    assert [(each.method, each.segments[3]) for each in asked] == [
        ("GET", "sale.sale"),
        ("GET", "sale.complaint.type"),
        ("POST", "sale.complaint"),
    ]
    assert unpacked(asked[0].query["d"]) == [["id", "=", 7]]
    assert asked[2].body == {
        "company": 1,
        "customer": 3,
        "type": 2,
        "origin": "sale.sale,7",
        "description": "broken\n\nlamgate:K1",
        "actions": [
            [
                "create",
                [
                    {
                        "action": "sale_return",
                        "sale_lines": [["create", [{"line": 32, "quantity": 1.5}]]],
                    }
                ],
            ]
        ],
    }


async def test_a_tryton_that_does_not_search_as_it_was_asked_is_believed_in_nothing(
    played: tuple[Played, Service],
) -> None:
    """Somebody else's record would settle a doubt, or an order's return be of another customer."""
    tryton, service = played
    tryton.heeds = False
    tryton.rows["sale.sale"] = [
        {"id": 7, "party": {"id": 3}, "lines": [{"id": 31}], "comment": "of somebody else"}
    ]
    tryton.rows["sale.complaint.type"] = [{"id": 2}]
    outside = Outside()
    desk = Desk(connected(service.url, KEY, outside))
    back: JsonObject = {"lines": [{"line_id": "31", "quantity": 1}], "reason": "broken"}
    ends = [
        await desk.end("order_find", {"reference": "K1"}),
        await desk.end("return_create", {**back, "order_id": "8"}, key="K1"),
    ]
    await outside.close()

    for end in ends:
        assert isinstance(end, Refused), end
        assert end.kind is Kind.INTERNAL
        assert "another" in end.message
    assert [each.method for each in tryton.asked] == ["GET", "GET"]


DIALECTS: dict[str, tuple[bytes, type, type, Kind]] = {
    "400 of a rule": (
        answer(400, {"status": 400, "message": "A value is required", "description": ""}),
        Refused,
        Refused,
        Kind.INVALID,
    ),
    "401": (answer(401, HTML), Refused, Refused, Kind.AUTH),
    "403": (answer(403, HTML), Refused, Refused, Kind.AUTH),
    "404": (answer(404, HTML), Refused, Refused, Kind.NOT_FOUND),
    "429": (answer(429, HTML), Unavailable, Unavailable, Kind.RATE_LIMITED),
    "500": (answer(500, HTML), Unavailable, Uncertain, Kind.UNAVAILABLE),
    "503 of a busy database": (answer(503, HTML), Unavailable, Unavailable, Kind.UNAVAILABLE),
    "504 of something before it": (answer(504, HTML), Unavailable, Uncertain, Kind.TIMEOUT),
}


@pytest.mark.parametrize("name", DIALECTS)
async def test_each_dialect_of_its_errors_has_one_meaning(name: str) -> None:
    said, read_end, write_end, kind = DIALECTS[name]
    outside = Outside()
    async with raw_server(said) as raw:
        desk = Desk(connected(raw.url, KEY, outside))
        read = await desk.end("party_get", {"id": "1"})
        write = await desk.end("party_create", {"name": "x"})
    await outside.close()

    assert (type(read), type(write)) == (read_end, write_end)
    assert isinstance(read, ConnectorError)
    assert isinstance(write, ConnectorError)
    assert (read.kind, write.kind) == (kind, kind)


async def process(said: JsonValue) -> tuple[object, Played]:
    """How handing an approved payment on ends where the wizard says this; and what was asked."""
    tryton = Played({"account.payment": [{"id": 1, "state": "approved"}]})

    def handle(asked: Asked) -> Said:
        if not asked.path.endswith("/rpc/"):
            return tryton.answer(asked)
        tryton.asked.append(asked)
        assert isinstance(asked.body, dict)
        if str(asked.body["method"]).endswith(".create"):
            return Said(200, {"id": 1, "result": [5, "process", "end"]})
        return Said(200, said)

    service, outside = Service(handle), Outside()
    service.start()
    end = await Desk(connected(service.url, KEY, outside)).end("payment_process", {"id": "1"})
    await outside.close()
    service.stop()
    return end, tryton


@pytest.mark.parametrize(
    ("said", "ends", "kind", "code"),
    [
        (["UserError", ["No journal", ""]], Refused, Kind.INVALID, "UserError"),
        (["UserWarning", ["w", "Sure?"]], Refused, Kind.INVALID, "UserWarning"),
        (["LoginException", []], Refused, Kind.AUTH, "LoginException"),
        (["ConcurrencyException", ["x"]], Unavailable, Kind.UNAVAILABLE, "ConcurrencyException"),
        (["KeyError", ["'x'"]], Uncertain, Kind.INTERNAL, None),
        ("?", Uncertain, Kind.INTERNAL, None),
    ],
)
async def test_an_error_inside_a_200_is_told_by_its_name(
    said: JsonValue, ends: type, kind: Kind, code: str | None
) -> None:
    end, tryton = await process({"id": 1, "error": said})
    rpc = [each for each in tryton.asked if each.path.endswith("/rpc/")]

    assert type(end) is ends
    assert isinstance(end, ConnectorError)
    assert (end.kind, end.vendor_code) == (kind, code)
    assert [each.body["method"].rpartition(".")[2] for each in rpc] == ["create", "execute"]  # type: ignore[index,call-overload,union-attr]
    assert {each.headers["authorization"] for each in rpc} == {f"Basic {LOGIN}"}
    assert rpc[0].path == "/erp/rpc/"


async def test_a_wizard_that_did_nothing_is_a_conflict() -> None:
    end, _ = await process({"id": 1, "result": {}})

    assert isinstance(end, Refused)
    assert end.kind is Kind.CONFLICT


@pytest.mark.parametrize(
    "body",
    [
        [],
        "x",
        {"id": 1, "total_amount": 5},
        {"id": 1, "total_amount": {"decimal": "NaN"}, "currency": {"code": "USD"}},
        {"id": 1, "create_date": "2026-11-25"},
        {"id": 1, "sale_date": {"__class__": "date", "year": 2026, "month": 13, "day": 1}},
    ],
)
async def test_what_is_not_tryton_s_is_never_passed_on(body: JsonValue) -> None:
    outside = Outside()
    async with raw_server(answer(200, body)) as raw:
        desk = Desk(connected(raw.url, KEY, outside))
        read = await desk.end("order_get", {"id": "1"})
        write = await desk.end("order_quote", {"id": "1"})
    await outside.close()

    assert isinstance(read, Refused)
    assert read.kind is Kind.INTERNAL
    assert isinstance(write, Unreadable)


async def test_what_a_write_asks_first_leaves_no_doubt_when_it_fails() -> None:
    outside = Outside()
    async with raw_server(answer(500, HTML)) as raw:
        desk = Desk(connected(raw.url, KEY, outside))
        back: JsonObject = {
            "order_id": "7",
            "lines": [{"line_id": "1", "quantity": 1}],
            "reason": "x",
        }
        end = await desk.end("return_create", back)
    await outside.close()

    assert isinstance(end, Unavailable)
    assert len(raw.received) == 1


async def test_a_state_that_has_no_equal_is_other_and_stands_as_it_is() -> None:
    outside = Outside()
    async with raw_server(answer(200, {"id": 1, "state": "sleeping"})) as raw:
        told = await Desk(connected(raw.url, KEY, outside)).do("order_get", {"id": "1"})
    await outside.close()

    assert (told["status"], told["status_raw"]) == ("other", "sleeping")
    assert told["raw"] == {"id": 1, "state": "sleeping"}


def test_no_button_is_settled_by_a_state_that_it_leads_from() -> None:
    buttons: dict[str, Button] = {**commerce_table.BUTTONS, **accounting_table.BUTTONS}

    assert [name for name, each in buttons.items() if {*each.before} & {*each.after}] == []


@given(st.dates(), st.decimals(-(10**9), 10**9, places=4))
def test_dates_and_decimals_go_there_and_back(date: object, amount: object) -> None:
    assert day(as_day(str(date))) == str(date)
    assert decimal(as_decimal(f"{amount:f}")) == f"{amount:f}"


def test_a_time_is_one_of_utc() -> None:
    said: JsonObject = {
        "__class__": "datetime", "year": 2026, "month": 11, "day": 25,
        "hour": 22, "minute": 26, "second": 27, "microsecond": 242718,
    }  # fmt: skip

    assert moment(said) == "2026-11-25T22:26:27.242718+00:00"


@pytest.mark.parametrize("more", ["", "and more", "\nand more"])
def test_what_somebody_adds_behind_a_mark_is_told(more: str) -> None:
    stored = f"{marked('broken', 'K' * 32)} {more}"

    assert unmarked(stored) == " ".join(["broken", *more.split()])


@given(
    st.text(st.characters(exclude_categories=["Cs"])).map(str.strip),
    st.from_regex(r"[A-Z2-7]{32}", fullmatch=True),
)
def test_a_mark_is_found_by_its_key_and_taken_out_of_what_is_told(said: str, key: str) -> None:
    stored = marked(said, key)

    assert stored.endswith(mark_of(key)[1:])
    assert unmarked(stored) == (said or None)


@pytest.mark.parametrize(
    ("amount", "told"),
    [("349.0000", "349.00"), ("-349", "-349.00"), ("0.0125", "0.0125"), ("-0.00", "0.00")],
)
def test_an_amount_of_a_book_is_told_exactly_in_the_places_of_its_currency(
    amount: str, told: str
) -> None:
    assert told_exactly(amount, "USD") == {"amount": told, "currency": "USD"}


class TestPlayedTryton(ConnectorConformance):
    aims_at = Tier.GOLD

    def setup_method(self) -> None:
        self.tryton, self.outside = Played(), Outside()
        self.tryton.rows["party.party"] = [party()]
        self.served = Service(self.tryton.answer)
        self.served.start()

    def teardown_method(self) -> None:
        self.served.stop()

    def connector(self) -> Connector:
        return connected(self.served.url, KEY, self.outside)

    async def close(self) -> None:
        await self.outside.close()

    async def attached(self) -> int:
        return len(self.tryton.rows.get("ir.attachment", []))

    def example(self) -> Example:
        paper: JsonObject = {"invoice_id": "1", "filename": "a.pdf", "base64": "JVBERg=="}
        return Example(
            connection="erp",
            read=("erp.party_get", {"id": "1"}),
            found=("erp.attachment_create", paper),
            undone=("erp.attachment_create", paper),
            refused=("erp.party_get", {"id": "2"}),
            effects=self.attached,
            state=self.attached,
            secrets=(KEY,),
            service=self.served,
        )


async def test_the_actions_of_both_models_have_names_of_their_own_and_write_one_at_a_time() -> None:
    outside = Outside()
    connector = connected("http://127.0.0.1:1", KEY, outside)
    actions = await connector.actions()
    await outside.close()
    names = [each.name for each in actions]
    writes = [each for each in actions if each.is_write]

    assert len(names) == len({*names}) == 49
    assert {each.limits.concurrency for each in writes if each.limits} == {1}
    assert all(each.limits for each in writes)
