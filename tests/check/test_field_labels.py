"""Whoever writes only what is not trusted changes nothing that is called trusted."""

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from benchmarks.admission.replay import ReplayError, replay
from connectors.catalog import Catalog
from connectors.errors import ConfigurationError
from connectors.manifest import check_manifests
from connectors.spec import ActionSpec, Integrity, JsonObject, Label, Principal
from executor.check.admit import Accepted, AdmissionContext, Inputs, admit
from executor.check.parse import plan_of
from executor.fn.shade import Shade, shade_of
from executor.plan.model import Plan

KEYS = ("k1", "k2", "k3", "k4")
FIELDS = ("id", "owner", "size", "note")
ROW: JsonObject = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "owner": {"type": "string"},
        "size": {"type": "integer"},
        "note": {"type": "string"},
    },
    "required": list(FIELDS),
    "additionalProperties": False,
}
TRUSTED, UNTRUSTED = Label(Integrity.TRUSTED), Label(Integrity.UNTRUSTED)


def catalog(reads_as: str, fields: dict[str, str]) -> Catalog:
    read = {
        "name": "box.read",
        "input_schema": {"type": "object", "properties": {}, "additionalProperties": False},
        "output_schema": {"type": "array", "items": ROW},
        "effect": "read",
        "egress": False,
        "reads_as": reads_as,
        "fields_read_as": fields,
    }
    write = {
        "name": "box.drop",
        "input_schema": {"type": "object", "properties": {"what": {}}, "required": ["what"]},
        "effect": "idempotent",
        "egress": False,
        "approval": None,
        "sinks": {"what": "resource_id"},
    }
    return Catalog([ActionSpec.model_validate(each) for each in (read, write)])


def judged(steps: Sequence[JsonObject], known: Catalog, request: str = "k1 k2 k3 k4 5") -> Accepted:
    plan = plan_of({"steps": [*steps]})
    assert isinstance(plan, Plan), plan
    context = AdmissionContext(
        request, Inputs(), known, None, Principal("u", "t"), "2026-01-31", b"k" * 32
    )
    verdict = admit(plan, context)
    assert isinstance(verdict, Accepted), verdict
    return verdict


def label_of(accepted: Accepted, step: str = "drop") -> Integrity:
    return accepted.certificate.of(step).labels["what"].integrity


class Builder:
    """A plan at random: what stands at the end of a chain of functions goes into a write."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.steps: list[JsonObject] = [{"id": "read", "action": "box.read", "args": []}]
        self.ref, self.kind = "read", "rows"

    def add(self, action: str, kind: str, *args: JsonObject, **more: JsonValue) -> None:
        name = f"s{len(self.steps)}"
        self.steps.append({"id": name, "action": f"fn.{action}", "args": [*args], **more})
        self.ref, self.kind = name, kind

    def grow(self) -> None:
        pick = self.rng.choice
        listed: JsonObject = {"ref": self.ref, "to": "list"}
        match self.kind, pick(("choose", "choose", "order", "index", "shape", "pair")):
            case "rows", "choose":
                name, kind = pick((("select", "row"), ("filter", "rows")))
                self.add(name, kind, listed, *self.clause())
            case "rows", "order":
                name, kind = pick((("sort", "rows"), ("min_by", "row"), ("max_by", "row")))
                self.add(name, kind, listed, {"value": pick(FIELDS), "to": "by"})
            case "rows", "pair":
                left, by = self.ref, {"value": pick(FIELDS), "to": "by"}
                self.add("sort", "rows", listed, by)
                self.add(
                    "zip", "pairs", {"ref": left, "to": "left"}, {"ref": self.ref, "to": "right"}
                )
                self.add("select", "pair", {"ref": self.ref, "to": "list"}, *self.clause("left/"))
                self.ref, self.kind = f"{self.ref}/right", "row"
            case ("rows" | "values") as kind, "index":
                self.ref, self.kind = f"{self.ref}/0", "row" if kind == "rows" else "value"
            case "rows", "shape" if self.rng.random() < 0.5:
                self.add("pick", "rows", listed, *[
                    {"value": field, "to": f"fields/{at}"} for at, field in enumerate(FIELDS)
                ])  # fmt: skip
            case "rows", "shape":
                member = {"ref": f"each/{pick(FIELDS)}", "to": "options/0"}
                self.add("first_of", "values", member, each=self.ref)
            case "row", _:
                self.ref, self.kind = f"{self.ref}/{pick(FIELDS)}", "value"
            case "values", _:
                self.add("count", "value", listed)

    def clause(self, inside: str = "") -> list[JsonObject]:
        field = self.rng.choice(FIELDS)
        op = self.rng.choice(("==", "==", "!=", "<", ">"))
        value = 5 if field == "size" else self.rng.choice(KEYS)
        parts: dict[str, JsonValue] = {"field": inside + field, "op": op, "value": value}
        return [{"value": each, "to": f"where/0/{part}"} for part, each in parts.items()]

    def plan(self) -> list[JsonObject]:
        while self.kind != "value" and len(self.steps) < 6:
            self.grow()
        return [*self.steps, {"id": "drop", "action": "box.drop", "args": [
            {"ref": self.ref, "to": "what"}]}]  # fmt: skip


def rows(rng: random.Random) -> list[JsonObject]:
    count = rng.randint(1, 4)
    return [
        {"id": KEYS[at], "owner": rng.choice(KEYS), "size": rng.randint(3, 7),
         "note": rng.choice(KEYS)}
        for at in range(count)
    ]  # fmt: skip


def attacked(
    rng: random.Random, found: list[JsonObject], closed: bool, own: dict[str, bool]
) -> list[JsonObject]:
    """What is not trusted, otherwise; into a list that is not, rows that are the attacker's."""

    def row(given: JsonObject) -> JsonObject:
        said: dict[str, JsonValue] = {
            each: rng.randint(0, 9) if each == "size" else rng.choice((*KEYS, "evil"))
            for each in FIELDS
        }
        return {each: given[each] if own[each] else said[each] for each in FIELDS}

    changed = [row(each) for each in found]
    if closed:
        return changed
    for number in range(rng.randint(0, 2)):
        theirs: JsonObject = {"id": f"mine{number}", "owner": "mine", "size": 40, "note": "mine"}
        changed.insert(rng.randint(0, len(changed)), row(theirs))
    return changed


@given(st.integers(0, 2**48).map(random.Random))
def test_who_writes_all_that_is_not_trusted_moves_no_trusted_target(rng: random.Random) -> None:
    closed = rng.random() < 0.5
    own = {field: rng.random() < 0.6 for field in FIELDS}
    words = {True: "trusted", False: "untrusted"}
    known = catalog(words[closed], {f"*/{field}": words[own[field]] for field in FIELDS})
    accepted = judged(Builder(rng).plan(), known)
    if not label_of(accepted).at_least(Integrity.TRUSTED):
        return
    found = rows(rng)
    try:
        honest = replay(accepted, lambda *_: [*found])
    except ReplayError:
        return
    for _ in range(20):
        forged = attacked(rng, found, closed, own)
        try:
            calls = replay(accepted, lambda *_, it=forged: [*it])
        except ReplayError:
            continue  # a run that ends does nothing

        assert calls[-1].arguments == honest[-1].arguments, (accepted.plan.steps, found, forged)


LABELS = st.builds(Label, st.sampled_from(list(Integrity)))
PATHS = st.lists(st.sampled_from(["a", "b", "*"]), min_size=1, max_size=3).map(tuple)


@given(LABELS, st.dictionaries(PATHS, LABELS, max_size=4), PATHS)
def test_the_whole_is_never_better_than_anything_inside(
    own: Label, fields: dict[tuple[str, ...], Label], path: tuple[str, ...]
) -> None:
    shade = shade_of(own, fields)
    inside = shade.reach(path).whole

    assert inside.integrity.at_least(shade.whole.integrity)
    assert shade.whole == shade.whole.join(shade.element.whole)
    if path in fields and "*" not in path:
        assert shade.reach(path).own == fields[path]


@given(LABELS, LABELS, st.dictionaries(PATHS, LABELS, max_size=4))
def test_a_lower_label_anywhere_lowers_what_is_joined(
    own: Label, other: Label, fields: dict[tuple[str, ...], Label]
) -> None:
    shade = shade_of(own, fields)
    joined = shade.join(other)

    assert joined.whole == shade.whole.join(other)
    assert shade.meet(Shade(other)).whole == joined.whole


def drop(ref: str) -> JsonObject:
    return {"id": "drop", "action": "box.drop", "args": [{"ref": ref, "to": "what"}]}


def select(field: str, value: JsonValue, op: str = "==", of: str = "read") -> JsonObject:
    return {
        "id": "one",
        "action": "fn.select",
        "args": [
            {"ref": of, "to": "list"},
            {"value": field, "to": "where/0/field"},
            {"value": op, "to": "where/0/op"},
            {"value": value, "to": "where/0/value"},
        ],
    }


def by(function: str, field: str) -> JsonObject:
    args = [{"ref": "read", "to": "list"}, {"value": field, "to": "by"}]
    return {"id": "one", "action": f"fn.{function}", "args": [*args]}


READ: JsonObject = {"id": "read", "action": "box.read", "args": []}
SIDES: list[JsonValue] = [{"ref": "read", "to": "left"}, {"ref": "read", "to": "right"}]
PAIRED: list[JsonObject] = [
    {"id": "pairs", "action": "fn.zip", "args": SIDES},
    select("left/id", "k1", of="pairs"),
]
BOOK = {"*/note": "untrusted"}
INBOX = {"*/id": "trusted", "*/owner": "trusted"}


@pytest.mark.parametrize(
    ("reads_as", "fields", "steps", "label"),
    [
        ("trusted", BOOK, [READ, drop("read/0/id")], "trusted"),
        ("trusted", BOOK, [READ, drop("read/0/note")], "untrusted"),
        ("trusted", BOOK, [READ, drop("read")], "untrusted"),
        ("trusted", BOOK, [READ, select("note", "k1"), drop("one/id")], "untrusted"),
        ("trusted", BOOK, [READ, select("owner", "k1"), drop("one/id")], "trusted"),
        ("untrusted", INBOX, [READ, drop("read/0/id")], "untrusted"),
        ("untrusted", INBOX, [READ, select("owner", "k1"), drop("one/id")], "trusted"),
        ("untrusted", INBOX, [READ, select("owner", "k1", "!="), drop("one/id")], "untrusted"),
        ("untrusted", INBOX, [READ, select("owner", "k1"), drop("one/size")], "untrusted"),
        ("trusted", BOOK, [READ, by("sort", "note"), drop("one/0/id")], "untrusted"),
        ("trusted", BOOK, [READ, by("sort", "size"), drop("one/0/id")], "trusted"),
        ("trusted", BOOK, [READ, by("max_by", "note"), drop("one/id")], "untrusted"),
        ("untrusted", INBOX, [READ, by("min_by", "owner"), drop("one/id")], "untrusted"),
        ("untrusted", INBOX, [READ, *PAIRED, drop("one/right/id")], "untrusted"),
        ("trusted", {}, [READ, *PAIRED, drop("one/right/id")], "trusted"),
        ("trusted", {}, [READ, select("id", "k9"), drop("one/id")], "model"),
        ("trusted", {}, [READ, select("size", 6), drop("one/id")], "model"),
        ("trusted", {}, [READ, select("owner", "ann"), drop("one/id")], "trusted"),
        ("trusted", {}, [READ, select("size", 6, ">"), drop("one/id")], "trusted"),
        ("trusted", {}, [READ, select("id", "^k9$", "matches"), drop("one/id")], "model"),
    ],
)
def test_a_target_is_as_good_as_what_chose_it(
    reads_as: str, fields: dict[str, str], steps: list[JsonObject], label: str
) -> None:
    assert label_of(judged(steps, catalog(reads_as, fields))) == label


def test_how_often_a_step_acts_is_up_to_who_fills_its_list_and_not_to_who_writes_in_it() -> None:
    each: JsonObject = {
        "id": "drop", "action": "box.drop", "each": "read",
        "args": [{"ref": "each/id", "to": "what"}],
    }  # fmt: skip

    assert label_of(judged([READ, each], catalog("trusted", BOOK))) == "trusted"
    assert label_of(judged([READ, each], catalog("untrusted", INBOX))) == "untrusted"


@pytest.mark.parametrize("pointer", ["*/nothing", "id", "*/id/x/y", "*/*"])
def test_a_field_that_no_output_has_is_a_flaw_of_the_manifest(pointer: str) -> None:
    with pytest.raises(ConfigurationError, match="fields_read_as"):
        check_manifests(catalog("trusted", {pointer: "untrusted"}))


def test_the_whole_is_not_one_of_its_fields() -> None:
    with pytest.raises(ValueError, match="reads_as"):
        catalog("trusted", {"": "untrusted"})
