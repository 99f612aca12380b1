"""The benchmark of admission on samples: converted plans are judged as expected, mutants too."""

import itertools
import json
import os
import random
from pathlib import Path

import pytest

from benchmarks.admission.case import DataSet
from benchmarks.admission.declared import Names, members, schema_of
from benchmarks.admission.judge import score
from benchmarks.admission.mutants import run, unbroken
from benchmarks.admission.mutations import MUTATIONS
from benchmarks.admission.oracle import codes_of
from benchmarks.admission.seeds import seeds_of
from benchmarks.admission.sets import bfcl, nestful_v1, nestful_v2, taskbench

SAMPLE = 60
SETS = [*nestful_v1.SETS, *nestful_v2.SETS, *taskbench.SETS, *bfcl.SETS]
CALLS = {"files.read": ({"type": "object", "properties": {"name": {"type": "string"}}}, None)}


@pytest.fixture
def data() -> Path:
    folder = os.environ.get("LAMGATE_DATA")
    if not folder:
        pytest.skip("LAMGATE_DATA names no folder with the data sets")
    return Path(folder)


@pytest.mark.parametrize("each", SETS, ids=lambda it: it.name)
def test_a_sample_of_a_set_is_judged_as_its_declarations_say(each: DataSet, data: Path) -> None:
    found = score(each.name, itertools.islice(each.load(data), SAMPLE))

    assert found.expressible == found.n > 0
    assert [(case.id, said) for case, said in found.wrong] == []


def test_admission_and_the_oracle_find_the_same_codes_in_mutants() -> None:
    seeds = seeds_of(None)
    plans, found = unbroken(seeds), run(seeds, 2_000, random.Random(4))

    assert plans.valid == plans.n == len(seeds)
    assert [each for tally in found.values() for each in tally.disagree] == []
    assert sum(tally.n for kind, tally in found.items() if kind in MUTATIONS) == 2_000
    assert all(tally.n for tally in found.values())
    assert sum(tally.refused for tally in found.values()) > 1_500


@pytest.mark.parametrize(
    ("args", "codes"),
    [
        ([{"value": "a", "to": "name"}], set()),
        ([{"value": 7, "to": "name"}], {"type-mismatch"}),
        ([{"ref": "nobody", "to": "name"}], {"unknown-step"}),
        ([{"ref": "one", "to": "name"}], {"cycle"}),
        ([{"value": "a", "to": "nome"}], {"unknown-argument"}),
        ([{"value": "a", "to": "name"}, {"value": "b", "to": "name"}], {"overlapping-argument"}),
        ([{"json": "{", "to": "name"}], {"malformed-json"}),
        ([{"value": "a", "json": "{}", "to": "name"}], {"unknown-field"}),
    ],
)
def test_the_oracle_names_what_is_wrong(args: list[dict[str, object]], codes: set[str]) -> None:
    plan = {"steps": [{"id": "one", "action": "files.read", "args": args}]}

    assert codes_of(json.dumps(plan), CALLS, {}) == codes


def test_declared_types_become_json_schema_by_one_table() -> None:
    declared = {"a": {"type": "Float", "required": True}, "b": {"allowed_values": ["x"]}}

    assert members(declared) == {
        "type": "object",
        "properties": {"a": {"type": "number"}, "b": {"enum": ["x"]}},
        "required": ["a"],
    }
    assert schema_of({"type": ["object", "object"], "items": {"type": "dict"}}) == {
        "type": "object",
        "items": {"type": "object"},
    }
    assert schema_of({"type": "a tensor"}) == {}


def test_an_unknown_tool_never_gets_the_name_of_a_known_one() -> None:
    names = Names("set", ["Text-to-Image"])

    assert names.of("Text-to-Image") == "set.text_to_image"
    assert names.of("text to image") == "set.text_to_image_2"
    assert names.of("text to image") == "set.text_to_image_2"
