"""What one drive writes: what is asked for together, and what nobody waits for any more."""

import asyncio

from executor.run import events as e
from executor.run.outbox import Outbox
from executor.store.journal import Look
from executor.store.open_journal import Work

ENDED = e.AttemptEnded(step="a", iteration="", n=1, state="applied", output={})


async def test_the_end_of_a_call_that_is_cut_off_before_it_is_written_is_not_waited_for() -> None:
    sent: list[tuple[Work, ...]] = []

    def send(works: tuple[Work, ...]) -> "asyncio.Future[Look]":
        sent.append(works)
        answered: asyncio.Future[Look] = asyncio.get_running_loop().create_future()
        answered.set_result(Look((), 0))
        return answered

    outbox = Outbox(send, lambda _: None, lambda: None)
    writing = asyncio.ensure_future(outbox.write(lambda _: True, ("a", ""), tells=ENDED))
    await asyncio.sleep(0)
    asked = len(outbox.coming)
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    await asyncio.sleep(0)

    assert (asked, outbox.coming, sent) == (1, [], [])
