"""What is rehearsed is what is run: by the machine, over HTTP, with a service that answers so."""

import asyncio
import json
import random
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import JsonValue
from run_bench import Bench
from run_cases import NOW, accept, policy, ref, step, value
from run_world import ASKING
from sqlalchemy import Connection
from undo_cases import ACTIONS, BACK

from connectors.connector import Applied, Outcome
from connectors.errors import Kind, Refused
from connectors.spec import ActionSpec, CallContext, Principal
from executor.check.admit import Accepted
from executor.check.certificate import Options
from executor.rehearse.explore import Bounds
from executor.rehearse.rehearse import rehearse
from executor.rehearse.report import Scenario, SetbackEnd
from executor.rehearse.stage import Terms
from executor.run import events as e
from executor.run.perform import new_event
from executor.store import journal, rulings
from executor.store.drives import Due
from executor.store.store import Store

pytestmark = pytest.mark.timeout(600)
EXAMPLES = max(3, settings().max_examples // 16)
Acted = tuple[str, str, str]
"""A step, its item, and the arguments as text."""


@dataclass
class Theatre:
    """A service on a socket: it answers each place as it was told, and notes what it was asked."""

    answers: Mapping[tuple[str, str], JsonValue] = field(default_factory=dict)
    refused: tuple[str, str] | None = None
    asked: list[Acted] = field(default_factory=list)

    def prepare(self, scenario: Scenario, setback: SetbackEnd | None = None) -> None:
        """Give the answers of a scenario from now on."""
        self.answers = {(each.step, each.iteration): each.output for each in scenario.answers}
        self.refused = None if setback is None else (setback.step, setback.iteration)
        self.asked = []

    def answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        place = (asked["step"], asked["iteration"])
        if place == self.refused:
            return {"refused": True}
        if asked["writes"]:
            self.asked.append((*place, json.dumps(asked["arguments"], sort_keys=True)))
        return {"output": self.answers.get(place)}


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Theatre, str]]:
    theatre = Theatre()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            content = json.dumps(theatre.answer(json.loads(body))).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield theatre, f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def random_plan(rng: random.Random) -> tuple[Accepted, str]:
    """A plan of any shape whose steps come one after the other: timing then decides nothing."""
    rules = rng.choice(["permit (principal, action, resource);", ASKING])
    names = [each.name for each in ACTIONS if "_by_" in each.name]
    steps: list[dict[str, Any]] = []
    for number in range(rng.randint(1, 4)):
        args, more = [value(rng.randint(1, 3), "x")], dict[str, Any]()
        single = [each["id"] for each in steps if "each" not in each]
        if single and rng.random() < 0.7:
            args.append(ref(f"{rng.choice(single)}/id", "from"))
        if rng.random() < 0.3:
            more["each"] = "input/list"
            args.append(ref("each", "item"))
        if single and rng.random() < 0.3:
            more["when"] = [{"left": f"{rng.choice(single)}/n", "op": ">", "value": 5}]
        if rng.random() < 0.4:
            more["expect"] = [{"left": "result/ok", "op": "==", "value": True}]
        if steps:
            more["after"] = [steps[-1]["id"]]
        what = rng.choice(["read", "asked_blind", rng.choice(names), rng.choice(names), "blind"])
        steps.append(step(f"s{number}", what, *args, **more))
    options = rng.choice([Options(), BACK, Options(on_failure="continue")])
    items = [*range(rng.randint(0, 3))]
    answer = [ref(each["id"], each["id"]) for each in steps]
    plan = accept(*steps, answer=answer, rules=rules, options=options, more=ACTIONS, list=items)
    return plan, rules


@dataclass
class Run:
    """One run on a store of its own."""

    bench: Bench
    accepted: Accepted

    async def ended(self) -> e.RunFinished:
        """Drive it to its end; whoever is asked says yes."""
        due = await self.bench.add(self.accepted)
        while True:
            await self.bench.start(due)
            gates = await self.bench.gates(due)
            if not gates:
                return await self.bench.finished(due)
            for gate in gates:
                await self._grant(due, gate.id, gate.role)

    async def _grant(self, due: Due, approval: str, role: str) -> None:
        somebody = Principal("somebody", "main", frozenset({role}))

        def work(c: Connection) -> None:
            now = self.bench.clock()
            rulings.decide(c, "main", approval, somebody, "approve", "yes", now)
            event = e.ApprovalGranted(approval=approval, by="somebody", reason="yes")
            journal.append(c, "main", due.id, [new_event(event)], now)

        await self.bench.store.write(work)


@asynccontextmanager
async def machine(rules: str, url: str, folder: Path) -> AsyncIterator[Bench]:
    """The production machine on a store of its own; its calls go over HTTP."""
    store = await Store.open(f"sqlite:///{folder / 'lamgate.db'}")
    async with httpx2.AsyncClient(base_url=url, trust_env=False) as client:

        async def call(
            action: ActionSpec, arguments: Mapping[str, JsonValue], context: CallContext
        ) -> Outcome:
            asked = {"step": context.step, "iteration": context.iteration,
                     "writes": action.is_write, "arguments": dict(arguments)}  # fmt: skip
            told = (await client.post("/", json=asked)).json()
            if "refused" in told:
                raise Refused("no", kind=Kind.INVALID)
            return Applied(told["output"])

        bench = Bench(store)
        bench.policy = partial(lambda found: found, policy(rules))
        bench.machine = replace(bench.machine, call=call)
        try:
            yield bench
        finally:
            await bench.close()
            await store.close()


def acted(scenario: Scenario) -> list[Acted]:
    """What a scenario says is written, item by item."""
    return sorted(
        (act.step, act.iteration, json.dumps(act.arguments, sort_keys=True))
        for act in scenario.effects
    )


@settings(max_examples=EXAMPLES)
@given(seed=st.integers(0, 2**48))
def test_each_scenario_is_what_the_machine_does_with_a_service_that_answers_so(
    seed: int, served: tuple[Theatre, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    theatre, url = served
    accepted, rules = random_plan(random.Random(seed))
    terms = Terms(policy(rules), lambda action: action.limits, NOW)
    found = rehearse(accepted, terms, bounds=Bounds(scenarios=3))
    assert found == rehearse(accepted, terms, bounds=Bounds(scenarios=3))

    async def compare() -> None:
        async with machine(rules, url, tmp_path_factory.mktemp("run")) as bench:
            for scenario in found.scenarios:
                theatre.prepare(scenario)
                ended = await asyncio.wait_for(Run(bench, accepted).ended(), 60)
                _is_the_same(scenario, ended, theatre.asked)
            for setback in [each for each in found.setbacks if each.upset == "refused"][:2]:
                theatre.prepare(found.scenarios[setback.scenario - 1], setback)
                ended = await asyncio.wait_for(Run(bench, accepted).ended(), 60)
                _ends_the_same(setback, ended)

    asyncio.run(compare())


def _is_the_same(scenario: Scenario, ended: e.RunFinished, asked: list[Acted]) -> None:
    assert (ended.status, ended.code) == (scenario.status, scenario.code)
    assert ended.result == scenario.result
    forward = sorted(each for each in asked if not each[0].startswith("undo/"))
    back = sorted(each[:2] for each in asked if each[0].startswith("undo/"))
    undone = [act for act in scenario.effects if act.undone]

    assert forward == acted(scenario)
    assert back == sorted((f"undo/{each.step}", each.iteration) for each in undone)


def _ends_the_same(setback: SetbackEnd, ended: e.RunFinished) -> None:
    assert (ended.status, ended.code) == (setback.status, setback.code)
    assert (ended.standing, ended.uncertain, ended.undone) == (
        setback.standing, setback.uncertain, setback.undone,
    )  # fmt: skip
