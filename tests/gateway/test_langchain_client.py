"""A chain and an agent use a gateway that is a process of its own, with a scripted planner."""

import json
import subprocess
import sys
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from langchain_core.messages import ToolMessage
from langchain_core.runnables import RunnableLambda
from served import (
    MUG,
    SHOP,
    STATUS,
    end,
    model_lines,
    ready_line,
    start_model,
    start_process,
    write_config,
)

from gateway.langchain import Handled, LamgateError, LamgateRunnable, LamgateTool
from gateway.langchain.story import Ask, Pause, Reply, Send, Story, Teller
from gateway.private import operator_key_file, read_private

CRACKED = (
    "The plate set of order 1043 arrived cracked. Refund it in full and tell the customer by mail."
)


@dataclass(frozen=True)
class Served:
    """A gateway in a process of its own, and the keys of its people."""

    url: str
    requester: str
    approver: str

    def http(self, key: str) -> httpx2.Client:
        headers = {"authorization": f"Bearer {key}"}
        return httpx2.Client(base_url=self.url, headers=headers, timeout=30, trust_env=False)

    def runnable(self, **more: Any) -> LamgateRunnable:
        return LamgateRunnable(self.url, self.requester, **more)

    def tool(self, **more: Any) -> LamgateTool:
        return LamgateTool(url=self.url, key=self.requester, **more)


@pytest.fixture(scope="module")
def served(shop: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("client")
    model = start_model(SHOP / "recorded" / "plate_set.json")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SHOP_PAYMENTS_KEY", "sk_shop_minor")
        process = None
        try:
            config = write_config(folder, shop, model_lines("scripted", ready_line(model)))
            process = start_process(config)
            url = ready_line(process)
            operator = read_private(operator_key_file(folder / "var" / "lamgate.db"))
            with Served(url, "", "").http(operator) as http:
                made = [
                    http.post("/v1/keys", json={"principal": f"{role}-1", "roles": [role]}).json()
                    for role in ("requester", "approver")
                ]
            yield Served(url, made[0]["secret"], made[1]["secret"])
        finally:
            for each in (process, model):
                if each is not None:
                    end(each)


def call(text: str, name: str) -> dict[str, Any]:
    return {"type": "tool_call", "name": "lamgate", "id": name, "args": {"text": text}}


def test_a_chain_says_words_and_gets_the_result(served: Served) -> None:
    chain = RunnableLambda(lambda order: f"What is the status of order {order}?")
    found = (chain | served.runnable()).invoke("1043")

    assert isinstance(found, Handled)
    assert found.has_succeeded, found
    assert "status" in json.dumps(found.result)


async def test_the_same_key_is_the_same_request_and_another_is_another(served: Served) -> None:
    said = {"text": STATUS, "key": "ticket-1"}
    first = await served.runnable().ainvoke(said)
    again = served.runnable().invoke(said)
    own = await served.runnable().ainvoke(STATUS)

    assert (first.request, first.run, first.replayed) == (again.request, again.run, False)
    assert again.replayed
    assert again.result == first.result
    assert own.request != first.request


async def test_a_tool_call_that_is_made_again_is_the_same_request(served: Served) -> None:
    tool, config = served.tool(), {"configurable": {"thread_id": "conversation-1"}}
    first = await tool.ainvoke(call(STATUS, "call_1"), config)
    again = tool.invoke(call(STATUS, "call_1"), config)
    elsewhere = tool.invoke(call(STATUS, "call_1"), {"configurable": {"thread_id": "other"}})
    plain = tool.invoke({"text": STATUS})

    assert isinstance(first, ToolMessage)
    assert first.status == "success"
    assert json.loads(str(first.content)) == first.artifact["result"]
    assert again.artifact["request"] == first.artifact["request"]
    assert again.artifact["replayed"]
    assert elsewhere.artifact["request"] != first.artifact["request"]
    assert plain == first.content


def test_what_is_unclear_comes_back_as_the_question(served: Served) -> None:
    found = served.runnable().invoke(MUG)
    told = served.tool().invoke(call(MUG, "call_2"))

    assert (found.status, found.run) == ("needs_answer", None)
    assert found.may_go_on
    assert found.questions[0]["about"] == "remedy"
    assert told.status == "success"
    assert "It asks: " in told.content


async def test_what_waits_for_a_person_comes_back_with_the_link_and_goes_on_by_its_key(
    served: Served,
) -> None:
    said = {"text": CRACKED, "model": "scripted", "key": "ticket-2"}
    waiting = await served.runnable().ainvoke(said)
    (approval,) = waiting.approvals
    with served.http(served.approver) as approver:
        shown = approver.get(approval.link).json()
        # Nothing is refunded: the shop's other tests count on it.
        refused = approver.post(
            f"{approval.link}/decision", json={"decision": "refuse", "reason": "not today"}
        )
    later = await served.runnable().ainvoke(said)

    assert (waiting.status, waiting.waiting_for) == ("waiting", "approval")
    assert (approval.role, shown["action"]) == ("approver", "payments.refund_create")
    assert refused.status_code == 200
    assert (later.run, later.status) == (waiting.run, "failed")
    assert later.code == "approval-refused"
    assert not later.may_go_on


def test_time_that_is_up_leaves_the_request_under_way(served: Served) -> None:
    said = {"text": CRACKED, "model": "scripted", "key": "ticket-3"}
    found = served.runnable(timeout_s=1.5, for_people=True).invoke(said)

    assert found.may_go_on


def test_what_nobody_can_do_is_an_error_of_the_tool_and_a_value_of_the_runnable(
    served: Served,
) -> None:
    words = "Compose a symphony about teapots."
    found = served.runnable().invoke(words)
    told = served.tool().invoke(call(words, "call_3"))

    assert not found.may_go_on
    assert not found.has_succeeded
    assert told.status == "error"
    assert told.content.startswith(found.status)


def test_problems_keep_their_stable_codes(served: Served) -> None:
    unknown = LamgateRunnable(served.url, "lam_nobody")
    no_role = LamgateRunnable(served.url, served.approver)
    nobody = LamgateRunnable("http://127.0.0.1:9", "lam_x", timeout_s=0.2)
    no_address = LamgateRunnable("no address", "lam_x", timeout_s=0.2)
    codes = {}
    for name, each, said in (
        ("unknown", unknown, STATUS),
        ("no role", no_role, STATUS),
        ("nobody", nobody, STATUS),
        ("no address", no_address, STATUS),
        ("no model", served.runnable(), {"text": STATUS, "model": "none"}),
    ):
        with pytest.raises(LamgateError) as failed:
            each.invoke(said)
        codes[name] = failed.value.code
    told = LamgateTool(url=served.url, key="lam_nobody").invoke(call(STATUS, "call_4"))

    assert codes == {
        "unknown": "unauthenticated",
        "no role": "role-missing",
        "nobody": "no-gateway",
        "no address": "no-gateway",
        "no model": "unknown-model",
    }
    assert (told.status, told.content.partition(":")[0]) == ("error", "unauthenticated")
    assert "lam_nobody" not in repr(unknown._address) + repr(served.tool())


def test_importing_it_loads_nothing_of_a_server() -> None:
    code = "import sys, gateway.langchain; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    server = {"executor", "planner", "connectors", "fastapi", "sqlalchemy", "uvicorn", "cedarpy"}

    assert not {*done.stdout.split()} & server


def played(story: Story, *replies: Reply | None) -> Generator[Send | Pause, None, Handled]:
    """What a story says, given these answers one after another."""
    answers = iter(replies)
    said = next(story)
    while True:
        yield said
        try:
            said = story.send(None if isinstance(said, Pause) else next(answers))
        except StopIteration as ended:
            found: Handled = ended.value
            return found


def test_a_lost_answer_is_asked_for_again_under_the_same_key_and_not_before_it_may_be() -> None:
    teller = Teller("http://gateway", clock=lambda: 0.0, until=60.0)
    busy = Reply(503, {"retry-after": "7"}, {"code": "shutting-down", "detail": "later"})
    planned = Reply(200, {}, {"id": "req_1", "status": "planned", "run": "run_1"})
    over = Reply(200, {}, {"id": "run_1", "status": "succeeded", "result": {"a": 1}})
    said = [*played(teller.story(Ask(text="x", key="k")), None, busy, planned, over)]
    sent = [each for each in said if isinstance(each, Send)]
    pauses = [each.seconds for each in said if isinstance(each, Pause)]

    assert [each.path for each in sent] == ["/v1/requests"] * 3 + ["/v1/runs/run_1"]
    assert {each.headers["idempotency-key"] for each in sent[:3]} == {"k"}
    assert pauses == [0.1, 7.0]


def test_an_answer_that_has_the_id_alone_is_followed_up() -> None:
    teller = Teller("http://gateway", clock=lambda: 0.0, until=60.0)
    replies = [
        Reply(202, {}, {"id": "req_1"}),
        Reply(200, {}, {"id": "req_1", "status": "planning"}),
        Reply(200, {}, {"id": "req_1", "status": "rejected", "code": "plan-rejected",
                        "violations": [{"message": "no such action"}]}),
    ]  # fmt: skip
    telling = played(teller.story(Ask(text="x", key="k")), *replies)
    paths = []
    while True:
        try:
            said = next(telling)
        except StopIteration as ended:
            found: Handled = ended.value
            break
        paths += [said.path] if isinstance(said, Send) else []

    assert paths == ["/v1/requests", "/v1/requests/req_1", "/v1/requests/req_1"]
    assert (found.status, found.code, found.detail) == (
        "rejected",
        "plan-rejected",
        "no such action",
    )
