"""What an approver may write to narrow an envelope: closed, bounded, and empty where unsaid."""

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from executor.check.envelope import Band, CoveredStep, Envelope
from executor.check.narrowing import Narrowing, NewBand, NewStep


def test_what_is_not_named_stays_as_it_was_shown() -> None:
    assert NewBand().model_dump() == {"values": None, "most": None, "currency": "", "any": False}
    assert NewStep().model_dump() == {"calls": None, "bands": {}}
    assert Narrowing().model_dump() == {
        "steps": {}, "without": [], "sums": {}, "expires_at": None,
    }  # fmt: skip
    assert Band(at="x", kind="open").model_dump() == {
        "at": "x", "kind": "open", "values": (), "most": None, "currency": None, "sinks": (),
        "integrity": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("model", "given", "is_sound"),
    [
        (NewBand, {"values": [1]}, True),
        (NewBand, {"values": []}, False),
        (NewBand, {"values": [*range(1000)]}, True),
        (NewBand, {"values": [*range(1001)]}, False),
        (NewBand, {"currency": "EUR"}, True),
        (NewBand, {"currency": "EURO"}, False),
        (NewBand, {"currency": "eur"}, False),
        (NewBand, {"most": "12.50"}, True),
        (NewBand, {"most": "999999999999999.999999"}, True),
        (NewBand, {"most": "1000000000000000"}, False),
        (NewBand, {"most": "0.0000001"}, False),
        (NewBand, {"most": "-1"}, False),
        (NewStep, {"calls": 1}, True),
        (NewStep, {"calls": 0}, False),
        (Narrowing, {"sums": {"EUR": "1"}}, True),
        (Narrowing, {"sums": {"EUR": 1}}, False),
    ],
)
def test_a_band_is_of_values_or_an_amount_within_bounds(
    model: type[BaseModel], given: Any, is_sound: bool
) -> None:
    try:
        model.model_validate(given)
    except ValidationError:
        assert not is_sound
    else:
        assert is_sound


@pytest.mark.parametrize("model", [NewBand, NewStep, Narrowing, Band, CoveredStep, Envelope])
def test_nothing_else_is_read_and_nothing_is_changed(model: type[BaseModel]) -> None:
    assert model.model_config.get("frozen") is True
    assert model.model_config.get("extra") == "forbid"
