"""`python -m benchmarks.admission.miscalled --data DIR`: recorded calls that no tool could take.

The runs' labels say which calls name a tool that there is not, and which have arguments that its
schema does not take. Each is admitted as a plan of its own, and has to be refused for that.
"""

import argparse
import gzip
import json
import sys
from collections.abc import Mapping
from pathlib import Path

from benchmarks.admission.recorded import Call, codes_of
from benchmarks.admission.sets import tau2
from benchmarks.given import folder_with

TRAJECTORIES = "tau_llm_trajectories.jsonl.gz"
DUE: Mapping[str, frozenset[str]] = {
    "i_unknown_tool": frozenset({"unknown-action"}),
    "ii_schema_invalid": frozenset({"unknown-argument", "missing-argument", "type-mismatch"}),
}


def main() -> None:
    """Print a line a label; exits with 1 if a call is not refused for what is wrong with it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=folder_with(TRAJECTORIES), required=True)
    found = judged(parser.parse_args().data)
    for label, (held, all_of_them) in found.items():
        print(f"{label:<18} {held} of {all_of_them} refused, with the right code")
    sys.exit(0 if all(held == every for held, every in found.values()) else 1)


def judged(data: Path) -> dict[str, tuple[int, int]]:
    """By label, how many are refused for what is wrong with them, and how many there are."""
    shops = {name: tau2.shop_of(name, data) for name in ("retail", "airline")}
    counts = dict.fromkeys(DUE, (0, 0))
    with gzip.open(data / TRAJECTORIES, "rt") as lines:
        for run in map(json.loads, lines):
            shop = shops[run["domain"]]
            for event in run["events"]:
                if event.get("label") not in DUE:
                    continue
                call = Call(event["tool"], event["args"], took_effect=False)
                is_held = bool(codes_of(shop.name, shop.catalog, call) & DUE[event["label"]])
                held, every = counts[event["label"]]
                counts[event["label"]] = held + is_held, every + 1
    return counts


if __name__ == "__main__":
    main()
