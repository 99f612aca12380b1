"""Envelopes over real HTTP: shown whole, narrowed, never widened; what leaves one is asked for."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from forked import lamgate
from served import SHOP, plan, serving, step, until, until_open, until_status
from test_approval_faults import NO, YES, Desk, tags

ALL = """
permit (principal, action, resource);
@id("tags") @approval("approver") @quorum("2")
forbid (principal, action, resource == Operation::"orders.add_tag")
unless { context.approvals.contains("approver") };
"""


def tagged(name: str, tag: Any, **more: Any) -> dict[str, Any]:
    """A tag that is known, or what another step's result says."""
    made = step(name, "orders.add_tag", order_id="1043")
    made["args"].append({"ref": "order/status", "to": "tag"} if tag is None else
                        {"value": tag, "to": "tag"})  # fmt: skip
    return made | more


TWO = plan(
    step("order", "orders.get_order", order_id="1043"), tagged("known", "k"), tagged("late", None)
)


@pytest.fixture
def enveloped(config: Path) -> Path:
    """An operator's file that asks for whole plans."""
    folder = config.parent / "policies"
    folder.mkdir()
    (folder / "all.cedar").write_text(ALL, encoding="utf-8")
    text = config.read_text(encoding="utf-8").replace(f"{SHOP}/policies", str(folder))
    config.write_text(f"{text}\n[runs]\nenvelope = true\n", encoding="utf-8")
    return config


@pytest.fixture
async def desk(enveloped: Path, mended: Any) -> AsyncIterator[Desk]:
    found = Desk()
    async with serving(enveloped) as found.running:
        yield found


def narrow(**more: Any) -> dict[str, Any]:
    return YES | {"narrow": more}


def late(*values: str) -> dict[str, Any]:
    return {"late": {"bands": {"tag": {"values": [*values]}}}}


async def test_one_question_shows_all_steps_with_their_bands_and_a_quorum_lets_all_pass(
    desk: Desk, mended: Any
) -> None:
    before = len(tags(mended))
    run = await desk.start(TWO)
    opened = await until_open(await desk.approver(), run)
    shown = opened[0]
    status = httpx2.get(f"{mended.urls['orders']}/orders/1043", trust_env=False).json()["status"]
    first = await desk.decide(shown["id"], narrow(steps=late(status, "other", "third")))
    second = await desk.decide(shown["id"], narrow(steps=late(status)), by=2)
    row = await desk.ended(run)
    after = (await (await desk.approver()).get(f"/v1/approvals/{shown['id']}")).json()
    trace = (await (await desk.requester()).get(
        f"/v1/runs/{run}/trace", headers={"accept": "text/plain"})).text  # fmt: skip

    assert len(opened) == 1
    assert (shown["kind"], shown["steps"], shown["quorum"]) == ("envelope", ["known", "late"], 2)
    assert 'tag: exactly "k"' in shown["rendered"]
    assert "tag: not known yet" in shown["rendered"]
    assert (first.json()["state"], second.json()["state"]) == ("open", "granted")
    assert row["status"] == "succeeded"
    assert sorted(tags(mended)[before:]) == sorted(["k", status])
    assert after["args_hash"] != shown["args_hash"]
    assert "for known, late together" in trace
    assert not await _open(desk, run)


async def test_a_value_that_leaves_its_band_is_asked_for_by_itself_and_says_which(
    desk: Desk, mended: Any
) -> None:
    before = len(tags(mended))
    run = await desk.start(TWO)
    whole = (await until_open(await desk.approver(), run))[0]
    for by in (1, 2):
        await desk.decide(
            whole["id"], narrow(steps=late("nothing like it")) if by == 1 else YES, by
        )

    async def asked() -> bool:
        return bool(await _open(desk, run))

    await until(asked, "the value is asked about")
    (alone,) = await _open(desk, run)
    for by in (1, 2):
        await desk.decide(alone["id"], by=by)
    row = await desk.ended(run)

    assert (alone["kind"], alone["step"]) == ("step", "late")
    assert "none of the approved values" in alone["reasons"][-1]
    assert whole["id"] in alone["reasons"][-1]
    assert row["status"] == "succeeded"
    assert len(tags(mended)) == before + 2


async def test_an_envelope_is_never_widened_nor_a_single_step_narrowed(desk: Desk) -> None:
    run = await desk.start(TWO)
    whole = (await until_open(await desk.approver(), run))[0]
    wider = await desk.decide(
        whole["id"], narrow(steps={"known": {"bands": {"tag": {"values": ["k", "z"]}}}})
    )
    target = await desk.decide(
        whole["id"], narrow(steps={"late": {"bands": {"order_id": {"any": True}}}})
    )
    odd = await desk.decide(whole["id"], YES | {"narrow": {"wider": True}})
    refused = await desk.decide(whole["id"], NO | {"narrow": {}})
    over = await desk.decide(whole["id"], narrow(expires_at=desk.running.gateway.clock() - 1))
    (still,) = await _open(desk, run)
    without = await desk.decide(whole["id"], narrow(without=["late"]))
    other = await desk.decide(whole["id"], narrow(without=["known"]))
    same = await desk.decide(whole["id"], narrow(without=["late"]))
    await desk.decide(whole["id"], by=2)
    await until_status(await desk.requester(), f"/v1/runs/{run}", "waiting")
    alone = (await until_open(await desk.approver(), run))[0]
    single = await desk.decide(alone["id"], narrow(without=["late"]))

    assert {each.status_code for each in (wider, target, odd, refused, over, single)} == {422}
    assert {each.json()["code"] for each in (wider, target, refused, over, single)} == {
        "band-widened"
    }
    assert over.json()["at"] == "/narrow/expires_at"
    assert "said yes" in other.json()["detail"]
    assert wider.json()["at"] == "/narrow/steps/known/bands/tag"
    assert still["arguments"] == whole["arguments"]
    assert (without.status_code, same.status_code, other.status_code) == (200, 200, 409)
    assert alone["step"] == "late"


async def test_a_no_to_the_plan_is_a_no_to_each_of_its_steps(desk: Desk, mended: Any) -> None:
    before = len(tags(mended))
    run = await desk.start(TWO)
    whole = (await until_open(await desk.approver(), run))[0]
    own = await (await desk.requester()).post(f"/v1/approvals/{whole['id']}/decision", json=YES)
    await desk.decide(whole["id"], NO)
    row = await desk.ended(run)

    assert (own.status_code, own.json()["code"]) == (403, "own-request")
    assert (row["status"], row["code"]) == ("failed", "approval-refused")
    assert len(tags(mended)) == before


# What is not less than was shown, by how the command line names the option that says so.
TOO_WIDE = {
    "--band known/tag": ("--band", 'known/tag=["k","z"]'),
    "--band late/order_id": ("--band", "late/order_id=*"),
    "--band late/nowhere": ("--band", "late/nowhere=1"),
    "--calls late": ("--calls", "late=1000"),
    "--calls known": ("--calls", "known=0"),
    "--calls, --band or --without": ("--calls", "gone=1"),
    "--sum EUR": ("--sum", "1.2.3 EUR"),
    "--without": ("--without", "gone"),
    "--for": ("--for", "9999999"),
}


async def test_the_command_line_shows_an_envelope_and_narrows_it(desk: Desk, mended: Any) -> None:
    before = len(tags(mended))
    run = await desk.start(TWO)
    whole = (await until_open(await desk.approver(), run))[0]
    key = (await desk.approver()).headers["authorization"].removeprefix("Bearer ")

    async def cli(*words: str) -> str:
        whom = ("--url", desk.running.url, "--key", key)
        done = await asyncio.to_thread(lamgate, [*words, *whom])
        return " ".join((done.stdout + done.stderr).split())

    listed = await cli("approvals")
    bad = await cli("approve", whole["id"], "--reason", "x", "--calls", "late")
    wider = [
        await cli("approve", whole["id"], "--reason", "x", *each) for each in TOO_WIDE.values()
    ]
    said = await cli(
        "approve", whole["id"], "--reason", "x", "--band", "late/tag=*", "--calls", "late=1"
    )
    await desk.decide(whole["id"], by=2)
    row = await desk.ended(run)

    assert f"{whole['id']} known, late of {run}, all at once" in listed
    assert "is not of the form STEP=NUMBER" in bad
    for option, said_of_it in zip(TOO_WIDE, wider, strict=True):
        assert f"where: {option} fix:" in said_of_it
        assert "/narrow" not in said_of_it
    assert f"{whole['id']} is open" in said
    assert row["status"] == "succeeded"
    assert len(tags(mended)) == before + 2


async def _open(desk: Desk, run: str) -> list[Any]:
    answer = await (await desk.approver()).get(f"/v1/approvals?state=open&run={run}")
    return [*answer.json()]
