"""tau2 retail and airline: gold calls with provenance, over a database that is replayed.

A read that the tool refuses, and from which nothing follows, is left out. A read of one
element of a list of ids becomes a read of each, and the element is then told apart by what was
read of it. Every plan is run on the database: its writes must be the gold ones, value by
value, and every gold read must be among its reads. Plans are admitted under the policies in
`policies/`, which were written from the texts of the domain.
"""

import json
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from pydantic import JsonValue

from benchmarks.admission.case import Case, DataSet
from benchmarks.admission.gold import Domain, convert, flaw
from benchmarks.admission.judge import TODAY
from benchmarks.admission.shapes import schema_of
from benchmarks.admission.sources import NoSource
from benchmarks.admission.tau2_reads import answer, is_replayed, samples
from benchmarks.admission.told import Told
from connectors.catalog import Catalog
from connectors.spec import ActionSpec, Effect, JsonObject, Sink
from executor.check.cedar import Policy
from executor.plan.types import as_list, as_object

_OFFERS = ("list_all_product_types",)
_READS = ("read", "generic")
_TARGETS = {
    **dict.fromkeys(
        ("order_id", "reservation_id", "user_id", "item_ids", "new_item_ids"), Sink.RESOURCE_ID
    ),
    **dict.fromkeys(("payment_method_id", "payment_id", "flights"), Sink.RESOURCE_ID),
    **dict.fromkeys(("payment_methods", "amount"), Sink.AMOUNT),
    "summary": Sink.CONTENT,
}
# What ids the answers of reads name, and which of the writes answer with what these read.
_ANSWER_IDS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("find_user_id_by_email", "find_user_id_by_name_zip"), ("",)),
    "get_order_details": ("order_id", "user_id", "items/*/product_id"),
    "get_reservation_details": ("user_id", "flights/*/flight_number", "flights/*/date"),
}
_READ_BY: dict[str, tuple[str, ...]] = {
    "get_order_details": ("order_id",),
    "get_product_details": ("product_id",),
    "get_item_details": ("item_id",),
    "get_user_details": ("user_id",),
    "get_reservation_details": ("reservation_id",),
    "get_flight_status": ("flight_number", "date"),
}
_ANSWERS_AS = {
    **dict.fromkeys(
        (
            "cancel_pending_order", "modify_pending_order_address", "modify_pending_order_items",
            "modify_pending_order_payment", "return_delivered_order_items",
            "exchange_delivered_order_items",
        ),
        "get_order_details",
    ),
    "modify_user_address": "get_user_details",
    **dict.fromkeys(
        (
            "book_reservation", "cancel_reservation", "update_reservation_flights",
            "update_reservation_baggages", "update_reservation_passengers",
        ),
        "get_reservation_details",
    ),
}  # fmt: skip
# A description that lists what may be said is an enumeration that its schema forgot.
_EITHER = re.compile(r"either '([^']+)' or '([^']+)'")


def cases(domain: str, data: Path) -> Iterator[Case]:
    """Convert every task."""
    shop, policy = shop_of(domain, data), policy_of(domain)
    offers = [each for each in _OFFERS if shop.catalog.get(f"{domain}.{each}")]
    for task in tasks(domain, data):
        instruction = as_object(task["instruction"])
        words = "\n".join(str(each) for each in instruction.values() if each)
        closed = [as_object(each) for each in as_list(task["gold_closed"])]
        gold = [each for each in closed if each["by"] == "assistant"]
        try:
            draft = convert(shop, gold, Told(words, TODAY), offers)
        except NoSource as why:
            yield Case(str(task["id"]), shop.catalog, words, "accept", None, str(why))
            continue
        yield Case(
            str(task["id"]),
            shop.catalog,
            words,
            "accept",
            draft.plan(),
            run=partial(flaw, shop, gold, draft),
            policy=policy,
        )


def tasks(domain: str, data: Path) -> Iterator[JsonObject]:
    """Every task of a domain."""
    for line in (data / f"tau2_{domain}_tasks.jsonl").read_text().splitlines():
        yield json.loads(line)


def policy_of(domain: str) -> Policy:
    """The policies of a domain, which were written from its texts."""
    file = Path(__file__).parents[1] / "policies" / f"tau2_{domain}.cedar"
    return Policy.parse({file.name: file.read_text(encoding="utf-8")})


def shop_of(domain: str, data: Path) -> Domain:
    """Read a domain's tools and database."""
    database = json.loads((data / f"tau2_{domain}_db.json").read_text())
    tools = json.loads((data / f"tau2_{domain}_tools.json").read_text())["tools"]
    catalog = Catalog(_action(domain, each, database) for each in tools)

    def answers(action: str, arguments: JsonObject) -> JsonValue:
        tool = action.partition(".")[2]
        return answer(tool, database, arguments) if is_replayed(tool) else None

    return Domain(domain, catalog, answers)


def _action(domain: str, tool: JsonObject, database: JsonObject) -> ActionSpec:
    name = str(tool["name"])
    schema = _with_choices(as_object(tool["parameters"]))
    given: dict[str, object] = {
        "name": f"{domain}.{name}",
        "description": tool["description"],
        "input_schema": schema,
    }
    if tool["side_effect"] in _READS and is_replayed(name):
        return ActionSpec.model_validate(
            given
            | {"output_schema": _output(name, database), "effect": Effect.READ, "egress": False}
            | {"reads_as": "trusted", "answer_ids": _ANSWER_IDS.get(name, ())}
            | {"sinks": dict.fromkeys(_ids_given(name), Sink.RESOURCE_ID)}
        )
    if tool["side_effect"] == "read":
        return ActionSpec.model_validate(given | {"effect": Effect.READ, "egress": False})
    sinks = {each: _TARGETS[each] for each in as_object(schema["properties"]) if each in _TARGETS}
    given |= {"egress": False, "approval": None, "sinks": sinks}
    if name in _ANSWERS_AS:
        read = _ANSWERS_AS[name]
        given |= {"output_schema": _output(read, database), "reads_as": "trusted"}
        given |= {"answers_as": {"action": f"{domain}.{read}", "of": _ids_given(read)}}
        given |= {"answer_ids": _ANSWER_IDS.get(read, ())}
    return ActionSpec.model_validate(given)


def _ids_given(read: str) -> tuple[str, ...]:
    """The arguments of a read that name its object, which stand under these names in its answer."""
    return _READ_BY.get(read, ())


def _output(read: str, database: JsonObject) -> JsonObject:
    """What a read gives; a reservation has a status once it was cancelled, which no sample is."""
    output = schema_of(samples(read, database))
    if read != "get_reservation_details":
        return output
    text: JsonObject = {"type": "string"}
    return output | {"properties": as_object(output["properties"]) | {"status": text}}


def _with_choices(schema: JsonObject) -> JsonObject:
    properties: JsonObject = {}
    for name, node in as_object(schema.get("properties")).items():
        found = _EITHER.search(str(as_object(node).get("description", "")))
        properties[name] = as_object(node) | ({"enum": [*found.groups()]} if found else {})
    return schema | {"properties": properties, "additionalProperties": False}


SETS = [DataSet(f"tau2 {each}", partial(cases, each)) for each in ("retail", "airline")]
