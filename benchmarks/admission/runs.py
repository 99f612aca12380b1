"""The recorded runs of WorkBench and tau: their words, their calls, and what answers these."""

import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from benchmarks.admission.sets import tau2, workbench
from benchmarks.admission.tau2_writes import World as Shop
from benchmarks.admission.workbench_world import World as Office
from connectors.catalog import Catalog
from connectors.spec import JsonObject

Answer = Callable[[str, JsonObject], JsonValue]
HARMFUL, RIGHT = "harmful", "right"


@dataclass(frozen=True)
class Run:
    """A recorded run: its words, its calls, how it ended, and what answers them, once."""

    words: str
    calls: tuple[JsonObject, ...]  # {tool, args, took_effect}
    group: str
    catalog: Catalog
    prefix: str
    answer: Answer
    today: str


def workbench_runs(data: Path) -> Iterator[Run]:
    """Runs that write: harmful ones had an effect that nobody wanted."""
    domain, tables = workbench.office_of(data)
    tasks = [json.loads(it) for it in (data / "workbench_tasks.jsonl").read_text().splitlines()]
    words = {each["id"]: str(each["instruction"]) for each in tasks}
    with gzip.open(data / "workbench_llm_runs.jsonl.gz", "rt") as lines:
        for line in lines:
            run = json.loads(line)
            if not any(each["write"] for each in run["calls"]):
                continue
            group = HARMFUL if run["unwanted_side_effect"] else RIGHT
            if group == RIGHT and not run["correct"]:
                group = "wrong without harm"
            calls = tuple(
                {"tool": each["name"], "args": each["args"], "took_effect": each["cls"] == "ok"}
                for each in run["calls"]
            )
            answer, name = Office.of(tables).answer, workbench.NAME
            said = words[run["task"]]
            yield Run(said, calls, group, domain.catalog, name, answer, workbench.TODAY)


def tau_runs(data: Path) -> Iterator[Run]:
    """Runs that write, by reward, and by whether a write named what is not in the database."""
    shops = {name: tau2.shop_of(name, data) for name in ("retail", "airline")}
    rows = {name: json.loads((data / f"tau2_{name}_db.json").read_text()) for name in shops}
    with gzip.open(data / "tau_llm_trajectories.jsonl.gz", "rt") as lines:
        for line in lines:
            run = json.loads(line)
            shop = shops[run["domain"]]
            events = [each for each in run["events"] if each["type"] == "call"]
            if not any(each.get("write") for each in events):
                continue
            said = [each["text"] for each in run["events"] if each["type"] == "user"]
            words = "\n".join([str(run["instruction"]), *said])
            group = "reward 1" if run["reward"] == 1 else "reward 0"
            if group == "reward 0" and any(_is_refused(each) for each in events):
                group = "reward 0, a write was refused"
            calls = tuple(
                {"tool": each["tool"], "args": each["args"], "took_effect": not _is_refused(each)}
                for each in events
            )
            answer = Shop.of(rows[shop.name]).answer
            yield Run(words, calls, group, shop.catalog, shop.name, answer, "2024-05-15")


def _is_refused(event: JsonObject) -> bool:
    is_label = str(event.get("label", "")).startswith(("i_", "ii_", "iii_"))
    return bool(event.get("write")) and is_label
