"""TaskBench: plans that models made over tools that take and give texts, images, audio, video.

A link names its ends by tool, so a plan has one step for each tool that its nodes name, and a
link is a reference: into an input of the right kind while one is free, else an order (`after`).
A link to nothing that the plan has is referred to from the answer, the one other place that
names steps. Literal arguments have no declared type and are left out; so no input is required.

Texts, images, audio and video are strings, and what they are is their format. What is expected is
computed here, from names, kinds and a naive search for circles; a clash of kinds has to be told on
a circle, too.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from benchmarks.admission.case import Case, DataSet
from benchmarks.admission.declared import Names, read_action
from connectors.catalog import Catalog
from connectors.spec import JsonObject

Link = tuple[str, str]


@dataclass(frozen=True)
class _Tool:
    takes: tuple[str, ...]
    gives: str | None


def load(data: Path) -> Iterator[Case]:
    """Every plan, the sound and the defective."""
    declared = json.loads((data / "taskbench_huggingface_tools.json").read_text())["tools"]
    names = Names("taskbench", (tool["id"] for tool in declared))
    tools = {
        tool["id"]: _Tool(tuple(tool["input-type"]), next(iter(tool["output-type"]), None))
        for tool in declared
    }
    catalog = Catalog(
        read_action(
            names.of(tool["id"]),
            tool["desc"],
            {"properties": {name: _kind(kind) for name, kind in _inputs(tools[tool["id"]])}},
            _kind(tools[tool["id"]].gives),
        )
        for tool in declared
    )
    for line in (data / "taskbench_huggingface_llm_plans.jsonl").read_text().splitlines():
        yield _case(json.loads(line), tools, names, catalog)


def _case(
    task: dict[str, JsonValue], tools: dict[str, _Tool], names: Names, catalog: Catalog
) -> Case:
    nodes = [*dict.fromkeys(_texts(task["task_nodes"], "task"))]
    sources, targets = (_texts(task["task_links"], end) for end in ("source", "target"))
    links = [*dict.fromkeys(zip(sources, targets, strict=True))]
    defects = _defects(nodes, links, tools)
    ids = {name: f"step{number}" for number, name in enumerate(nodes)}
    for end in (end for link in links for end in link if end not in ids):
        ids[end] = f"nothing{len(ids)}"
    steps: list[JsonValue] = []
    for name in nodes:
        into = [source for source, target in links if target == name]
        args, after = _bound(into, name, tools, ids)
        steps.append({"id": ids[name], "action": names.of(name), "args": args, "after": after})
    answer: list[JsonValue] = [
        {"ref": ids[target], "to": ids[target]}
        for target in dict.fromkeys(target for _, target in links if target not in nodes)
    ]
    return Case(
        id=str(task["id"]),
        catalog=catalog,
        request=str(task["instruction"]),
        expected="reject" if defects else "accept",
        plan={"steps": steps, "answer": answer},
        must=frozenset(defects),
    )


def _texts(entries: JsonValue, key: str) -> list[str]:
    """What each entry says at `key`; whatever is no text is told as one."""
    listed = entries if isinstance(entries, list) else []
    found = [each.get(key) for each in listed if isinstance(each, dict)]
    return [each if isinstance(each, str) else json.dumps(each) for each in found]


def _bound(
    sources: list[str], target: str, tools: dict[str, _Tool], ids: dict[str, str]
) -> tuple[list[JsonValue], list[JsonValue]]:
    """Each link into a step as a reference, or as an order where no input is left for it."""
    free = dict(_inputs(tools[target])) if target in tools else {}
    args: list[JsonValue] = []
    after: list[JsonValue] = []
    for source in sorted(sources, key=lambda it: _clash(it, target, tools)):  # those that fit first
        kind = tools[source].gives if source in tools else None
        fitting = [name for name, wanted in free.items() if wanted == kind]
        if _clash(source, target, tools):
            to = next(iter(free), next(iter(_inputs(tools[target])))[0])
        elif fitting:
            to = fitting[0]
        else:
            after.append(ids[source])
            continue
        free.pop(to, None)
        args.append({"ref": ids[source], "to": to})
    return args, after


def _defects(nodes: list[str], links: list[Link], tools: dict[str, _Tool]) -> set[str]:
    """Every code that the plan deserves."""
    found = set()
    if any(name not in tools for name in nodes):
        found.add("unknown-action")
    if any(end not in nodes for link in links for end in link):
        found.add("unknown-step")
    inside = [link for link in links if link[0] in nodes and link[1] in nodes]
    if any(_reaches(target, source, inside) for source, target in inside):
        found.add("cycle")
    if any(_clash(source, target, tools) for source, target in inside):
        found.add("type-mismatch")
    return found


def _reaches(start: str, goal: str, links: list[Link]) -> bool:
    seen: set[str] = set()
    ahead = {start}
    while ahead:
        seen |= ahead
        ahead = {target for source, target in links if source in ahead} - seen
    return goal in seen


def _clash(source: str, target: str, tools: dict[str, _Tool]) -> bool:
    """Whether the source gives nothing that the target takes."""
    known = source in tools and target in tools
    return known and tools[source].gives not in tools[target].takes


def _inputs(tool: _Tool) -> list[tuple[str, str]]:
    return [(f"{kind}_{number}", kind) for number, kind in enumerate(tool.takes)]


def _kind(kind: str | None) -> JsonObject:
    if kind is None:
        return {"type": "null"}
    return {"type": "string", "format": kind}


SETS = [DataSet("taskbench", load)]
