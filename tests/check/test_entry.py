"""What follows from a definition alone is kept, and never taken from another definition."""

from connectors.spec import ActionSpec, JsonObject, Principal, Sink
from executor.check.cedar import Policy, PolicyQuestion
from executor.check.entry import (
    chosen_names,
    declared_input,
    input_type,
    is_amount,
    output_type,
    sinks_at,
    target_at,
)
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
