"""What follows from a definition alone is kept, and never taken from another definition."""

import pytest

from connectors.spec import ActionSpec, Integrity, JsonObject, Principal, Sink
from executor.check.cedar import Policy, PolicyQuestion
from executor.check.entry import (
    amounts_from,
    chosen_names,
    declared_input,
    gives_maps,
    input_type,
    is_amount,
    is_data,
    is_key,
    is_open_at,
    may_be_put,
    output_type,
    said_at,
    sinks_at,
    source_shade,
    target_at,
)
from executor.fn.extract import EXTRACT
from executor.plan.types import MISSING, UNKNOWN, Type

TEXT: JsonObject = {"type": "string"}


def definition(**members: object) -> ActionSpec:
    given: dict[str, object] = {
        "name": "mail.send",
        "input_schema": {"type": "object", "properties": {"to": TEXT}},
        "effect": "blind",
        "sinks": {"to": "recipient"},
    }
    return ActionSpec.model_validate(given | members)


def test_a_definition_is_looked_at_once() -> None:
    action, again = definition(), definition()

    assert input_type(action) is input_type(again) is declared_input(action)
    assert target_at(action, ("to",)) is target_at(again, ("to",))


def test_two_definitions_of_one_name_are_told_apart() -> None:
    one = definition()
    numbers: JsonObject = {"type": "object", "properties": {"to": {"type": "number"}}}
    other = definition(input_schema=numbers, sinks={"to/*": "url", "x": "amount"},
                       output_schema=TEXT)  # fmt: skip

    assert hash(one) == hash(other)
    assert (target_at(one, ("to",)), target_at(other, ("to",))) == (
        Type(TEXT, one.input_schema), Type({"type": "number"}, numbers),
    )  # fmt: skip
    assert (output_type(one), output_type(other)) == (UNKNOWN, Type.of(TEXT))
    assert (sinks_at(one, ("to",)), sinks_at(other, ("to",))) == (
        frozenset({Sink.RECIPIENT}), frozenset({Sink.URL}),
    )  # fmt: skip
    assert (is_amount(one, ("x",)), is_amount(other, ("x",))) == (False, True)


def test_an_action_takes_an_object_even_where_its_schema_does_not_say_so() -> None:
    action = definition(input_schema={"properties": {"to": TEXT}})

    assert input_type(action).kinds == frozenset({"object"})
    assert declared_input(action).kinds is None
    assert target_at(action, ("cc",)) is MISSING


def test_names_that_no_schema_declares_are_data_below_a_sink_and_nowhere_else() -> None:
    open_map: JsonObject = {"type": "object", "additionalProperties": TEXT}
    lists: JsonObject = {"type": "array", "items": TEXT}
    properties: JsonObject = {"to": open_map, "note": open_map, "many": lists}
    schema: JsonObject = {"type": "object", "properties": properties}
    action = definition(input_schema=schema, sinks={"to": "recipient", "many": "recipient"})

    assert chosen_names(action, ("to", "ann")) == ("ann",)
    assert chosen_names(action, ("note", "ann")) == ()
    assert chosen_names(action, ("many", "0")) == ()


def test_the_same_person_with_another_role_is_judged_anew() -> None:
    text = 'permit (principal, action, resource) when { principal.roles.contains("clerk") };'
    policy = Policy.parse({"a.cedar": text})

    def verdict(*roles: str) -> str:
        who = Principal("ann", "main", frozenset(roles))
        return policy.judge(PolicyQuestion(who, definition(), {"to": "x"})).verdict

    assert [verdict(), verdict("clerk"), verdict()] == ["deny", "allow", "deny"]


def test_the_same_call_of_a_definition_that_became_irreversible_is_judged_anew() -> None:
    text = "permit (principal, action, resource) unless { resource.irreversible };"
    policy = Policy.parse({"a.cedar": text})

    def verdict(action: ActionSpec) -> str:
        return policy.judge(PolicyQuestion(Principal("ann", "main"), action, {"to": "x"})).verdict

    found = [verdict(definition(irreversible=each)) for each in (False, True, False)]
    assert found == ["allow", "deny", "allow"]


@pytest.mark.parametrize(
    ("place", "sinks", "amount"),
    [
        ((), {Sink.RECIPIENT, Sink.AMOUNT, Sink.URL}, False),
        (("to",), {Sink.RECIPIENT}, False),
        (("to", "0"), {Sink.RECIPIENT}, False),
        (("lines",), {Sink.AMOUNT}, False),
        (("lines", "3"), {Sink.AMOUNT}, False),
        (("lines", "3", "price"), {Sink.AMOUNT}, True),
        (("lines", "3", "price", "deeper"), {Sink.AMOUNT}, False),
        (("lines", "3", "note"), set(), False),
        (("o", "link"), {Sink.URL}, False),
        (("o", "note"), set(), False),
        (("note",), set(), False),
    ],
)
def test_a_value_reaches_the_sinks_at_its_place_above_it_and_below_it(
    place: tuple[str, ...], sinks: set[Sink], amount: bool
) -> None:
    action = definition(
        sinks={"to": "recipient", "lines/*/price": "amount", "o/link": "url"},
        input_schema={"type": "object"},
    )

    assert sinks_at(action, place) == sinks
    assert is_amount(action, place) is amount


def test_nothing_that_a_model_read_is_trusted() -> None:
    read = {"effect": "read", "reads_as": "trusted", "sinks": {}}
    reading, model = definition(**read), definition(name=EXTRACT, **read)

    assert source_shade(reading).whole.integrity is Integrity.TRUSTED
    assert source_shade(model).whole.integrity is Integrity.UNTRUSTED


def test_a_name_is_data_where_no_alternative_declares_it() -> None:
    either = Type.of({"anyOf": [{"properties": {"a": TEXT}}, {"properties": {"b": TEXT}}]})

    assert [is_data(either, name) for name in ("a", "b", "c")] == [False, False, True]
    assert not is_data(Type.of({"type": "array"}), "0")


def test_a_token_may_name_what_somebody_put_where_any_alternative_does_not_declare_it() -> None:
    options: Type = Type.of({"additionalProperties": TEXT})
    declared = Type.of({"properties": {"a": TEXT}})
    either = Type.of({"anyOf": [{"anyOf": [options.node, {"type": "null"}]}, declared.node]})
    listed = Type.of({"type": ["array", "object"], "properties": {"0": TEXT}})

    assert [is_key(each, "a") for each in (options, declared, either)] == [True, False, True]
    assert [may_be_put(each, "a") for each in (options, declared, either)] == [True, False, True]
    assert may_be_put(listed, "0")
    assert [is_open_at(each, "b") for each in (Type.of({}), declared, listed)] == [True, True, True]
    assert not is_open_at(declared, "a")


def test_a_map_is_found_wherever_it_is_in_what_an_action_gives() -> None:
    inner = {"items": {"properties": {"of": {"additionalProperties": TEXT}}}}

    assert gives_maps(definition(output_schema={"anyOf": [{"type": "null"}, inner]}))
    assert not gives_maps(definition(output_schema={"properties": {"a": TEXT}}))
    assert not gives_maps(definition(output_schema=None))


def test_the_paths_from_a_place_to_amounts() -> None:
    action = definition(sinks={"lines/*/price": "amount", "to": "recipient"})

    assert amounts_from(action, ()) == (("lines", "*", "price"), ("lines", "*", "currency"))
    assert amounts_from(action, ("lines", "3")) == (("price",), ("currency",))
    assert amounts_from(action, ("lines", "3", "price", "currency")) == ((),)
    assert amounts_from(action, ("to",)) == ()


def test_a_currency_beside_an_amount_that_has_none_is_a_part_of_it() -> None:
    rows = {"items": {"properties": {"price": {"type": "number"}}}}
    schema = {"properties": {"rows": rows, "sum": {"type": "object"}, "of": {"type": "integer"}}}
    sinks = dict.fromkeys(("rows/*/price", "sum"), "amount")
    listed, alone = (
        definition(input_schema=schema, sinks=sinks | more) for more in ({}, {"of": "amount"})
    )

    assert said_at(listed, ("rows", "3", "currency")) == {Sink.AMOUNT}
    assert said_at(listed, ("currency",)) == frozenset()  # the sum says its own
    assert said_at(alone, ("currency",)) == {Sink.AMOUNT}
    assert sinks_at(alone, ("currency",)) == frozenset()
