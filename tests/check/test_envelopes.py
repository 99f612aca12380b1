"""Envelopes: what lies in a band, what an approver may narrow, and what people read of it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.spec import Effect, Integrity, Sink
from executor.check.envelope import Band, CoveredStep, Envelope, outside
from executor.check.envelope_text import render_envelope
from executor.check.narrowing import Narrowing, WideningError, narrowed

EXACTLY_ANN = Band(at="to", kind="values", values=("ann",), sinks=(Sink.RECIPIENT,))
UP_TO_TEN = Band(at="sum", kind="amount", most="10", currency="EUR", sinks=(Sink.AMOUNT,))
OPEN_SUM = Band(at="sum", kind="open", sinks=(Sink.AMOUNT,))
OPEN_NOTE = Band(at="note", kind="open", sinks=(Sink.CONTENT,))
ANY_NOTE = Band(at="note", kind="any", sinks=(Sink.PLAIN,))


def covered(*bands: Band, step: str = "a", calls: int = 2, **more: Any) -> CoveredStep:
    told: dict[str, Any] = {
        "step": step, "action": "bank.pay", "action_digest": "d", "effect": Effect.BLIND,
        "irreversible": False, "call": "a = bank.pay(...)", "is_sure": True,
    }  # fmt: skip
    return CoveredStep(**(told | more), calls=calls, bands=bands)


def envelope(*steps: CoveredStep, **more: Any) -> Envelope:
    return Envelope(role="boss", steps=steps, **more)


def narrow(old: Envelope, ends_at: float = 100.0, **new: Any) -> Envelope:
    return narrowed(old, Narrowing.model_validate(new), ends_at)


def narrow_band(old: Band, **new: Any) -> Band:
    found = narrow(envelope(covered(old)), steps={"a": {"bands": {old.at: new}}})
    return found.steps[0].bands[0]


@pytest.mark.parametrize(
    ("value", "beside", "is_inside"),
    [
        ("0", {"currency": "EUR"}, True),
        ("10", {"currency": "EUR"}, True),
        (10, {"currency": "eur"}, True),
        ("10.000001", {"currency": "EUR"}, False),
        ("-0.01", {"currency": "EUR"}, False),
        ("10", {"currency": "USD"}, False),
        ("10", {"currency": 978}, False),
        ("10", {}, False),
        ("10", None, False),
        ("ten", {"currency": "EUR"}, False),
        ({"amount": "10", "currency": "EUR"}, None, True),
        ({"amount": "10.01", "currency": "EUR"}, None, False),
        ({"amount": "10", "currency": "EUR", "note": "and more"}, None, False),
        ({"amount": "10", "currency": 978}, {"currency": "EUR"}, False),
        ([{"amount": "9", "currency": "EUR"}, {"amount": "1", "currency": "EUR"}], None, True),
        ([{"amount": "9", "currency": "EUR"}, {"amount": "2", "currency": "EUR"}], None, False),
        ([{"amount": "9", "currency": "EUR"}, {"amount": "-1", "currency": "EUR"}], None, False),
        ([{"amount": "9", "currency": "EUR"}, {"amount": "1", "currency": "USD"}], None, False),
    ],
)
def test_an_amount_lies_between_nothing_and_the_most_in_its_own_currency(
    value: Any, beside: Any, is_inside: bool
) -> None:
    assert UP_TO_TEN.holds(value, beside) is is_inside


def test_an_amount_of_no_currency_is_one_that_names_none() -> None:
    band = Band(at="sum", kind="amount", most="10")

    assert band.holds("10", {})
    assert band.holds("10")
    assert not band.holds("10", {"currency": "EUR"})
    assert not Band(at="sum", kind="amount").holds("1")


def test_a_value_is_one_of_those_listed_whatever_the_order_of_its_members() -> None:
    band = Band(at="who", kind="values", values=({"name": "ann", "age": 1}, 2))

    assert band.holds({"age": 1.0, "name": "ann"})
    assert band.holds(2.0)
    assert not band.holds({"name": "ann"})
    assert not band.holds("2")
    assert ANY_NOTE.holds(None)
    assert OPEN_NOTE.holds("x") is False


@pytest.mark.parametrize(
    ("arguments", "departures"),
    [
        ({"to": "ann", "sum": "3", "currency": "EUR"}, ["currency was not shown"]),
        ({"to": "ann"}, ["sum is missing"]),
        ({"to": "bob", "sum": "1"}, ["to is \"bob\", none of the approved values",
                                     "sum is \"1\", not an amount up to 10 EUR"]),
        ({"to": "ann", "sum": {"amount": "3", "currency": "EUR"}}, []),
        ({"to": "ann", "sum": {"amount": "3", "currency": "EUR"}, "cc": {"x": ["y"]}},
         ["cc was not shown"]),
    ],
)  # fmt: skip
def test_a_call_departs_from_an_envelope_wherever_a_value_is_missing_outside_or_not_shown(
    arguments: Any, departures: list[str]
) -> None:
    assert list(covered(EXACTLY_ANN, UP_TO_TEN).departures(arguments)) == departures


def test_places_inside_of_lists_and_objects_are_shown_one_by_one() -> None:
    step = covered(Band(at="to/0/id", kind="values", values=("1",)), Band(at="x/y", kind="any"))
    within = {"to": [{"id": "1"}], "x": {"y": {"z": 1}}}

    assert list(step.departures(within)) == []
    assert list(step.departures(within | {"to": [{"id": "1", "cc": 2}, {"id": "3"}]})) == [
        "to/0/cc was not shown",
        "to/1 was not shown",
    ]
    assert list(step.departures(within | {"to": []})) == ["to/0/id is missing"]
    assert list(step.departures(within | {"to": {"0": {"id": "1"}}})) == []
    assert list(covered(Band(at="", kind="open")).departures({"a": 1})) == [
        'the arguments is {"a":1}, for which no band was approved'
    ]
    assert list(covered().departures({"a": {"b": 1}})) == ["a was not shown"]
    assert list(covered().departures({"a": ["b"]})) == ["a was not shown"]


@pytest.mark.parametrize(
    ("place", "value", "unseen"),
    [
        ("to/a", "abc", "to"),
        ("to/0", "abc", "to"),
        ("to/a", ["a"], "to/0"),
        ("to/1", ["a"], "to/0"),
    ],
)
def test_a_place_inside_of_what_has_no_such_place_is_missing(
    place: str, value: Any, unseen: str
) -> None:
    assert list(covered(Band(at=place, kind="any")).departures({"to": value})) == [
        f"{place} is missing",
        f"{unseen} was not shown",
    ]


def test_an_envelope_says_nothing_that_is_not_of_its_form_and_does_not_change() -> None:
    kept = envelope(covered(EXACTLY_ANN, calls=0))
    first = kept.steps[0].model_dump()
    for wrong in ({"more": 1}, {"quorum": 0}, {"steps": [first | {"calls": -1}]}):
        with pytest.raises(ValueError, match="validation error"):
            Envelope.model_validate(kept.model_dump() | wrong)
    with pytest.raises(ValueError, match="frozen"):
        kept.role = "somebody else"
    with pytest.raises(ValueError, match="frozen"):
        Narrowing().expires_at = 1.0

    assert kept.quorum == 1


def test_a_long_value_is_told_by_its_beginning() -> None:
    (told,) = covered(EXACTLY_ANN).departures({"to": "x" * 78})
    (longer,) = covered(EXACTLY_ANN).departures({"to": "x" * 79})

    assert told == f'to is "{"x" * 78}", none of the approved values'
    assert longer == f'to is "{"x" * 76}..., none of the approved values'


def test_why_a_value_is_outside_is_told_by_the_kind_of_the_band() -> None:
    assert outside(Band(at="x", kind="amount", most="5")) == "not an amount up to 5 of no currency"
    assert outside(UP_TO_TEN) == "not an amount up to 10 EUR"
    assert outside(OPEN_SUM) == "for which no band was approved"
    assert covered(EXACTLY_ANN, OPEN_SUM, ANY_NOTE).open_places == ("sum",)


def test_what_is_not_named_stays_as_it_was_shown() -> None:
    old = envelope(
        covered(EXACTLY_ANN, OPEN_SUM), covered(step="b"), sums={"EUR": "20"}, expires_at=50.0
    )
    new = narrow(old, steps={"a": {"bands": {"sum": {"most": "7", "currency": "EUR"}}}})

    assert narrow(old) == old
    assert new.steps[0].bands == (
        EXACTLY_ANN,
        Band(at="sum", kind="amount", most="7", currency="EUR", sinks=(Sink.AMOUNT,)),
    )
    assert new.steps[0].calls == old.steps[0].calls
    assert (new.steps[1:], new.sums, new.expires_at) == (old.steps[1:], old.sums, 50.0)
    assert new.digest != old.digest


def test_a_narrower_envelope_has_fewer_steps_fewer_calls_a_smaller_sum_and_an_earlier_end() -> None:
    old = envelope(covered(calls=3), covered(step="b"), sums={"EUR": "20"})
    new = narrow(
        old,
        steps={"a": {"calls": 2}},
        without=["b"],
        sums={"EUR": "20", "USD": "5"},
        expires_at=100,
    )

    assert [(each.step, each.calls) for each in new.steps] == [("a", 2)]
    assert new.of("a") == new.steps[0]
    assert new.of("b") is None
    assert new.sums == {"EUR": "20", "USD": "5"}
    assert new.expires_at == 100
    assert narrow(old, steps={"a": {"calls": 3}}).steps[0].calls == 3


@pytest.mark.parametrize(
    ("new", "at"),
    [
        ({"steps": {"c": {}}}, "/narrow/steps"),
        ({"without": ["c"]}, "/narrow/without"),
        ({"without": ["a", "b"]}, "/narrow/without"),
        ({"sums": {"EUR": "20.01"}}, "/narrow/sums/EUR"),
        ({"expires_at": 50.5}, "/narrow/expires_at"),
        ({"steps": {"a": {"calls": 3}}}, "/narrow/steps/a/calls"),
        ({"steps": {"a": {"bands": {"from": {"any": True}}}}}, "/narrow/steps/a/bands/from"),
        ({"steps": {"a": {"bands": {"to": {"any": True}}}}}, "/narrow/steps/a/bands/to"),
    ],
)
def test_an_envelope_is_never_made_wider_and_the_place_is_told(new: Any, at: str) -> None:
    old = envelope(covered(EXACTLY_ANN), covered(step="b"), sums={"EUR": "20"}, expires_at=50.0)
    with pytest.raises(WideningError) as told:
        narrow(old, **new)

    assert told.value.at == at
    assert (str(told.value),) == told.value.args


def test_an_end_is_no_later_than_the_questions_own_where_the_envelope_has_none() -> None:
    old = envelope(covered(EXACTLY_ANN))

    assert narrow(old, ends_at=60, expires_at=60).expires_at == 60
    with pytest.raises(WideningError, match="later"):
        narrow(old, ends_at=60, expires_at=60.5)
    with pytest.raises(WideningError, match="later"):
        narrow(envelope(covered(), expires_at=50.0), ends_at=40, expires_at=45)


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        (EXACTLY_ANN, {"values": ["ann"]}, "values"),
        (OPEN_SUM, {"most": "5", "currency": "EUR"}, "amount"),
        (OPEN_SUM, {"values": ["5"]}, "values"),
        (UP_TO_TEN, {"most": "10", "currency": "EUR"}, "amount"),
        (UP_TO_TEN, {"values": ["9"]}, "values"),
        (UP_TO_TEN, {"values": ["11"]}, None),
        (UP_TO_TEN, {"values": [{"amount": "9", "currency": "EUR"}]}, "values"),
        (UP_TO_TEN, {"values": [{"amount": "11", "currency": "EUR"}]}, None),
        (OPEN_NOTE, {"any": True}, "any"),
        (ANY_NOTE, {"any": True}, "any"),
        (ANY_NOTE, {"values": ["hello", "bye"]}, "values"),
        (EXACTLY_ANN, {"values": ["bob"]}, None),
        (EXACTLY_ANN, {"any": True}, None),
        (EXACTLY_ANN, {}, None),
        (EXACTLY_ANN.model_copy(update={"sinks": (Sink.PLAIN,)}), {"any": True}, None),
        (UP_TO_TEN.model_copy(update={"currency": None}), {"values": ["9"]}, "values"),
        (OPEN_NOTE, {"any": True, "values": ["x"]}, None),
        (OPEN_SUM, {"any": True}, None),
        (OPEN_SUM, {"most": "5", "values": ["5"]}, None),
        (OPEN_NOTE, {"most": "5"}, None),
        (UP_TO_TEN, {"most": "10.01", "currency": "EUR"}, None),
        (UP_TO_TEN, {"most": "1", "currency": "USD"}, None),
        (UP_TO_TEN, {"any": True}, None),
        (EXACTLY_ANN.model_copy(update={"sinks": (Sink.AMOUNT,)}), {"most": "1"}, None),
        (ANY_NOTE.model_copy(update={"sinks": (Sink.AMOUNT,)}), {"most": "1"}, None),
    ],
)
def test_a_band_becomes_narrower_or_stays_what_it_was(
    old: Band, new: Any, kind: str | None
) -> None:
    if kind is None:
        with pytest.raises(WideningError):
            narrow_band(old, **new)
    else:
        found = narrow_band(old, **new)

        assert (found.kind, found.sinks, found.at) == (kind, old.sinks, old.at)
        assert list(found.values) == new.get("values", [])
        assert (found.most, found.currency) == (new.get("most"), new.get("currency"))


def test_what_an_approver_says_is_bounded() -> None:
    for wrong in (
        {"steps": {"a": {"calls": 0}}},
        {"steps": {"a": {"bands": {"to": {"values": []}}}}},
        {"steps": {"a": {"bands": {"to": {"values": ["x"] * 1001}}}}},
        {"steps": {"a": {"bands": {"to": {"most": "-1"}}}}},
        {"steps": {"a": {"bands": {"to": {"most": "1", "currency": "euro"}}}}},
        {"sums": {"EUR": "many"}},
        {"more": {}},
    ):
        with pytest.raises(ValueError, match="validation error"):
            Narrowing.model_validate(wrong)
    whole = {"values": ["x"] * 1000}

    assert Narrowing.model_validate({"steps": {"a": {"calls": 1, "bands": {"to": whole}}}})


@given(
    st.sampled_from([EXACTLY_ANN, UP_TO_TEN, ANY_NOTE, OPEN_NOTE, OPEN_SUM]),
    st.one_of(
        st.builds(
            lambda it: {"values": it}, st.lists(st.sampled_from(["ann", "9", "11"]), max_size=2)
        ),
        st.builds(lambda it: {"most": str(it), "currency": "EUR"}, st.integers(0, 20)),
        st.just({"any": True}),
    ),
    st.sampled_from(["ann", "bob", "9", "11", {"amount": "9", "currency": "EUR"}, None]),
)
def test_whatever_a_narrower_band_holds_the_one_that_was_shown_held_unless_it_was_open(
    old: Band, new: Any, value: Any
) -> None:
    try:
        found = narrow_band(old, **new)
    except (WideningError, ValueError):
        return

    beside = {"currency": "EUR"}
    assert old.kind == "open" or not found.holds(value, beside) or old.holds(value, beside)


def test_people_read_every_step_with_every_band() -> None:
    first = covered(
        EXACTLY_ANN.model_copy(update={"integrity": Integrity.MODEL}),
        Band(at="cc", kind="values", values=("bob", "é")),
        UP_TO_TEN,
        Band(at="tip", kind="amount", most="1"),
        ANY_NOTE,
        Band(at="", kind="open"),
        irreversible=True,
    )
    second = covered(step="b", calls=1, is_sure=False, call="b = bank.pay(\n...)")
    text = render_envelope(envelope(first, second, sums={"USD": "1", "": "3", "EUR": "20"}))

    assert text.splitlines() == [
        "a = bank.pay(...)",
        "    blind, cannot be undone; at most 2 calls",
        '    to: exactly "ann"  [model]',
        '    cc: one of "bob", "é"',
        "    sum: at most 10 EUR a call",
        "    tip: at most 1 of no currency a call",
        "    note: anything",
        "    all arguments: not known yet; say what may stand here to have it covered",
        "    not covered as it stands: asked for by itself once its values are known",
        r"b = bank.pay(\n...)",
        "    blind; at most 1 call",
        "    may need no approval: policy decides once it sees the values",
        "together at most 3 of no currency",
        "together at most 20 EUR",
        "together at most 1 USD",
    ]
