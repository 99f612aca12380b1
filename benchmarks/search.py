"""How well and how fast actions are found: `python -m benchmarks.search --data DIR`.

`DIR` holds the data sets as `benchmarks.admission` takes them, and `openapi/specs.tar.xz` beside
it or in it. Asked are the words of every task of TaskBench, BFCL and NESTFUL whose gold plan names
tools. The actions are all of their tools and, to make up the size, the operations of real
documents, again and again under other connections. Recall is the share of a task's tools among the
first 10 and 40, and of the tasks of which none is missing among 40 (what a model is shown). Beside
FTS5 stands a plain ranking over a dictionary in memory: words weighted by how rare they are and by
where they stand. CPU of making the index in memory and in a file, of reading it again, and of a
question.
"""

import argparse
import itertools
import json
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from math import fsum, log
from pathlib import Path

from benchmarks.admission.sets import bfcl, nestful_v1, nestful_v2, taskbench
from benchmarks.given import folder_with
from benchmarks.openapi import documents
from connectors.catalog import Catalog
from connectors.errors import ConfigurationError
from connectors.openapi.extract import extract
from connectors.openapi.load import read_openapi
from connectors.openapi.names import longest_operation
from connectors.openapi.offer import offers
from connectors.openapi.overlay import Overlay
from connectors.spec import ActionSpec, JsonObject
from planner.search import Search
from planner.stems import stems

_DATA = folder_with("taskbench_huggingface_tools.json")

SHOWN = 40
Ask = Callable[[str], Sequence[ActionSpec]]


@dataclass(frozen=True)
class Pair:
    """What somebody asked for, and the names of the tools that it takes."""

    words: str
    tools: frozenset[str]


def pairs(data: Path) -> tuple[list[Pair], list[ActionSpec]]:
    """Every task with its tools, and all tools under names of their own."""
    known: dict[str, ActionSpec] = {}
    used: Counter[str] = Counter()

    def one(action: ActionSpec) -> ActionSpec:
        # Sets have tools of one name that are not the same.
        key = json.dumps([action.name, action.description, action.input_schema], sort_keys=True)
        if key not in known:
            used[action.name] += 1
            more = "" if used[action.name] == 1 else f"_{used[action.name]}"
            known[key] = action.model_copy(update={"name": action.name[: 64 - len(more)] + more})
        return known[key]

    found = []
    for each in (*taskbench.SETS, *bfcl.SETS, *nestful_v1.SETS, *nestful_v2.SETS):
        for case in each.load(data):
            steps = case.plan["steps"] if case.plan and case.expected == "accept" else []
            assert isinstance(steps, list)
            names = [str(step["action"]) for step in steps if isinstance(step, dict)]
            offered = {action.name: one(action).name for action in case.catalog}
            tools = frozenset(offered[name] for name in names if name in offered)
            if tools and case.request.strip():
                found.append(Pair(case.request, tools))
    return found, [*known.values()]


def operations(data: Path) -> list[ActionSpec]:
    """The operations of real documents: a name, a description and the names of arguments."""
    place = data if (data / "openapi").is_dir() else data.parent
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for number, file in enumerate(documents(place, Path(folder))):
            name, body = f"service{number}", file.read_bytes()
            try:
                read = extract(read_openapi(body, file.name), longest_operation(name))
                found += [_bare(each.spec) for each in offers(name, read, Overlay(), None).values()]
            except ConfigurationError:
                continue  # it offers no operation
    return found


def _bare(action: ActionSpec) -> ActionSpec:
    """What is searched of it: its schemas would fill the memory."""
    properties = action.input_schema.get("properties")
    names = properties if isinstance(properties, dict) else {}
    schema: JsonObject = {"type": "object", "properties": {name: {} for name in names}}
    return ActionSpec(name=action.name, description=action.description, input_schema=schema)


def crowd(tools: list[ActionSpec], others: list[ActionSpec], size: int) -> Catalog:
    """The tools, and of the others as many as make up the size."""
    return Catalog(itertools.islice(itertools.chain(tools, _again(others)), max(size, len(tools))))


def _again(others: list[ActionSpec]) -> Iterator[ActionSpec]:
    taken: set[str] = set()
    for turn in itertools.count():
        for each in others:
            connection, _, operation = each.name.partition(".")
            name = f"{connection}_{turn}.{operation}"[:64].rstrip("._")
            if name not in taken:
                taken.add(name)
                yield each.model_copy(update={"name": name})


class Plain:
    """A word's weight is how rare it is, times 3 in a name, 1 in a description, 0.5 otherwise."""

    def __init__(self, catalog: Catalog) -> None:
        self._actions = tuple(catalog)
        self._places: dict[str, dict[int, float]] = {}
        for place, action in enumerate(self._actions):
            for word, weight in _weights(action).items():
                self._places.setdefault(word, {})[place] = weight

    def best(self, words: str) -> Sequence[ActionSpec]:
        """The best of them."""
        scores: dict[int, list[float]] = {}
        for word in sorted(set(stems(words))):
            places = self._places.get(word, {})
            rarity = log(1 + len(self._actions) / max(1, len(places)))
            for place, weight in places.items():
                scores.setdefault(place, []).append(weight * rarity)
        ranked = sorted(scores, key=lambda place: (-fsum(scores[place]), place))
        return [self._actions[place] for place in ranked[:SHOWN]]


def _weights(action: ActionSpec) -> dict[str, float]:
    properties = action.input_schema.get("properties")
    arguments = " ".join(properties) if isinstance(properties, dict) else ""
    weights: dict[str, float] = {}
    for text, weight in ((action.name, 3.0), (action.description, 1.0), (arguments, 0.5)):
        for word, times in Counter(stems(text)).items():
            weights[word] = weights.get(word, 0.0) + weight * (1 + log(times))
    return weights


def _best(search: Search, catalog: Catalog, words: str) -> Sequence[ActionSpec]:
    return search.best(catalog, [words], SHOWN)


def _made(place: Path | None, catalog: Catalog) -> tuple[Search, float]:
    """A search that has been asked once, and the seconds which that took."""
    search, began = Search(place), time.process_time()
    search.best(catalog, ["order"], SHOWN)
    return search, time.process_time() - began


def _told(name: str, ask: Ask, asked: Iterable[Pair], made_s: str) -> None:
    at_10, at_40, whole, seconds = [], [], [], []
    for pair in asked:
        began = time.process_time()
        found = [each.name for each in ask(pair.words)]
        seconds.append(time.process_time() - began)
        at_10.append(len(pair.tools.intersection(found[:10])) / len(pair.tools))
        at_40.append(len(pair.tools.intersection(found)) / len(pair.tools))
        whole.append(pair.tools <= {*found})
    mean = [sum(each) / len(each) for each in (at_10, at_40, whole, seconds)]
    print(
        f"  {name:<8} recall@10 {mean[0]:.3f}  @{SHOWN} {mean[1]:.3f}  all of them {mean[2]:.3f}"
        f"   {mean[3] * 1e3:7.2f} ms a question   {made_s}",
        flush=True,
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search")
    parser.add_argument("--data", type=_DATA, required=True)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1, 10_000, 50_000])
    parser.add_argument("--each", type=int, default=1, help="ask every so many-th task only")
    given = parser.parse_args(argv)
    asked, tools = pairs(given.data)
    others = operations(given.data)
    print(f"{len(asked)} tasks, {len(tools)} tools, {len(others)} operations of documents")
    for size in given.sizes:
        catalog = crowd(tools, others, size)
        print(f"{len(catalog):,} actions")
        some = asked[:: given.each]
        began = time.process_time()
        plain = Plain(catalog)
        _told("plain", plain.best, some, f"made in {time.process_time() - began:.2f} s")
        with tempfile.TemporaryDirectory() as folder:
            made_s = _made(None, catalog)[1]
            kept_s = _made(Path(folder), catalog)[1]
            search, again_s = _made(Path(folder), catalog)
            told = f"made in {made_s:.2f} s, kept {kept_s:.2f}, read again {again_s:.2f}"
            _told("FTS5", partial(_best, search, catalog), some, told)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
