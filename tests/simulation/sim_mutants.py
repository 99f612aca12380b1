"""Faults in the protocol and in the simulated world: each one has to be noticed.

Run as `python sim_mutants.py NUMBER HISTORIES`: it imports the one module with the fault in it,
plays histories until a promise is broken, and exits with 0 if one was. A fault of the world
breaks no promise: it is noticed because the histories do not come by everything any more.
"""

import importlib.abc
import importlib.util
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType

from sim_mutant import Mutant, file_of, mutated
from sim_mutants_looked import LOOKED
from sim_mutants_lost import LOST
from sim_mutants_mistaken import MISTAKEN, WRONG_WORDS
from sim_mutants_odd import ODD
from sim_mutants_protocol import PROTOCOL
from sim_mutants_shared import SHARED
from sim_mutants_values import VALUES
from sim_mutants_world import WORLD

WORLDS = (*WORLD, *WRONG_WORDS)
MUTANTS = (*PROTOCOL, *VALUES, *SHARED, *ODD, *LOOKED, *LOST, *MISTAKEN, *WORLDS)


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports one module with the fault in it."""

    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant

    def find_spec(self, name: str, path: object, target: object = None) -> object:
        if self._mutant.changes(name) is None:
            return None
        return importlib.util.spec_from_loader(name, self, origin=str(file_of(name)))

    def exec_module(self, module: ModuleType) -> None:
        text = mutated(self._mutant, module.__name__)
        exec(compile(text, str(file_of(module.__name__)), "exec"), module.__dict__)


def main() -> None:
    """Look for the fault; 0 if it was found."""
    number, histories = int(sys.argv[1]), int(sys.argv[2])
    mutant = MUTANTS[number]
    sys.meta_path.insert(0, _Finder(mutant))
    sys.path.insert(0, str(Path(__file__).parent))
    play = importlib.import_module("sim_play")
    reached: Counter[str] = Counter()
    for seed in range(histories):
        found = play.play(seed, reached)
        if found is not None:
            print(f"{mutant.why}: found by history {seed}: {found}")
            return
        few = play.missing(reached, seed + 1, least=4.0) if seed % 250 == 249 else []
        if mutant in WORLDS and few:
            print(f"{mutant.why}: after {seed + 1} histories too rare: {', '.join(few)}")
            return
    print(f"{mutant.why}: NOT FOUND in {histories} histories")
    sys.exit(1)


if __name__ == "__main__":
    main()
