"""What services answered before, for rehearsals: the newest first, and no more than fits."""

from functools import partial

import pytest
from sqlalchemy import Connection
from store_cases import NOW, TENANT, ended, intent, new_run, written

from executor.store import calls, recorded
from executor.store.calls import AttemptOutcome
from executor.store.journal import NewEvent
from executor.store.store import Store

DIGESTS = {"payments.refund_create": "sha256:tool"}


def answered(c: Connection, run: str, texts: dict[str, str], state: str = "applied") -> None:
    """A run whose steps were answered so."""
    claim = new_run(c, run)
    for step, text in texts.items():
        at = NOW + len(run)
        written(c, claim, calls.record_intent, intent(step, effect="read"), at)
        told = {**ended(state, step).data, "output": {"of": run, "text": text}}
        outcome = AttemptOutcome(step, "", 1, NewEvent("attempt.ended", told))
        written(c, claim, calls.record_outcome, outcome, at + 1)


@pytest.mark.parametrize(
    ("most", "found"),
    [
        (1_000_000, ["run_bbb", "run_bbb", "run_a"]),
        (60_000, ["run_bbb", "run_a"]),  # the large one does not fit
        (10, []),
    ],
)
async def test_of_recorded_answers_no_more_is_read_than_fits(
    most: int, found: list[str], store: Store
) -> None:
    await store.write(partial(answered, run="run_a", texts={"a": "small"}))
    await store.write(partial(answered, run="run_bbb", texts={"a": "x" * 100_000, "b": "small"}))
    await store.write(partial(answered, run="run_cccc", texts={"a": "no"}, state="refused"))
    read = partial(recorded.answers, tenant=TENANT, digests=DIGESTS, most_bytes=most)
    told = await store.read(read)

    assert [each.output["of"] for each in told if isinstance(each.output, dict)] == found
    assert {each.took_s for each in told} <= {1.0}
