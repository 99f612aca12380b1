"""One line of the operator's file is the mail vendor: one plan, and a lost answer is found out."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from served import plan, serving, step, until_status, write_config

from connectors.testing import Fault, Service

sys.path.insert(0, str(Path(__file__).parents[1] / "connectors"))

from sendgrid_account import Account

LETTER = plan(
    {
        **step("tell", "mail.message_send", subject="Your order", text="It is on its way."),
        "args": [
            {"value": "ann@example.com", "to": "to/0"},
            {"value": "Your order", "to": "subject"},
            {"value": "It is on its way.", "to": "text"},
        ],
    }
)
WORDS = "Write ann@example.com about 'Your order': It is on its way."


@pytest.fixture
def account() -> Iterator[tuple[Service, Account]]:
    found = Account()
    service = Service(found.handle)
    service.start()
    yield service, found
    service.stop()


async def test_the_same_plan_sends_with_either_vendor(
    shop: Any, account: tuple[Service, Account], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_PAYMENTS_KEY", "sk_shop_minor")
    monkeypatch.setenv("SENDGRID_KEY", "SG.a-key-of-nobody")
    service, sent = account
    first = await _run(_config(tmp_path / "smtp", shop, None))
    second = await _run(_config(tmp_path / "sendgrid", shop, service))

    assert first["run"]["status"] == second["run"]["status"] == "succeeded"
    assert first["plan"] == second["plan"]
    assert first["run"]["result"]["to"] == second["run"]["result"]["to"] == ["ann@example.com"]
    assert first["run"]["result"]["id"].endswith("@lamgate.invalid")
    assert second["run"]["result"]["id"] == "m_1-Xy"
    assert len(sent.sent) == 1


async def test_a_mail_whose_answer_is_lost_is_found_and_not_sent_again(
    shop: Any, account: tuple[Service, Account], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_PAYMENTS_KEY", "sk_shop_minor")
    monkeypatch.setenv("SENDGRID_KEY", "SG.a-key-of-nobody")
    service, sent = account
    lost = Fault(acts=True, ending="cut")
    service.spoil(lambda number: lost if number == 1 else None)
    found = await _run(_config(tmp_path / "sendgrid", shop, service))

    assert found["run"]["status"] == "succeeded"
    assert found["run"]["result"] == {"id": "m_1-Xy", "to": ["ann@example.com"]}
    assert len(sent.sent) == 1
    assert [each for each in found["events"] if each == "reconcile.resolved"]


def _config(folder: Path, shop: Any, service: Service | None) -> Path:
    """The shop's file, with the mail connection switched where there is a service."""
    folder.mkdir()
    file = write_config(folder, shop)
    if service is None:
        return file
    text = file.read_text(encoding="utf-8")
    before, _, rest = text.partition("[connections.mail]")
    after = rest[rest.index("[policy]") :]
    mail = f"""[connections.mail]
connector = "sendgrid"
base_url = "{service.url}"
credential = "env:SENDGRID_KEY"
sender = "shop@example.com"
activity = true
allow_hosts = ["{service.host}"]

"""
    file.write_text(before + mail + after, encoding="utf-8")
    return file


async def _run(config: Path) -> dict[str, Any]:
    answer = [{"ref": "tell/id", "to": "id"}, {"ref": "tell/recipients", "to": "to"}]
    async with serving(config) as running:
        requester = await running.person("requester-1", "requester")
        body = {"plan": {**LETTER, "answer": answer}, "request": WORDS}
        made = await requester.post("/v1/plans", json=body)
        assert made.status_code == 201, made.text
        shown = (await requester.get(f"/v1/plans/{made.json()['id']}")).json()
        run = (await requester.post(f"/v1/plans/{made.json()['id']}/runs")).json()["id"]
        ended = await until_status(requester, f"/v1/runs/{run}", "succeeded", "failed")
        events = await requester.get(
            f"/v1/runs/{run}/events", headers={"accept": "application/json"}
        )
        return {
            "plan": shown["plan"],
            "run": ended,
            "events": [each["type"] for each in events.json()],
        }
