"""Faults that show where people and services say what is not so, one against the other."""

from sim_mutant import Mutant

MISTAKEN = (
    Mutant(
        "executor.run.state",
        'return is_open and state == "applied"',
        "return False",
        "who gave up is believed more than whoever did it",
    ),
    Mutant(
        "gateway.reconcile",
        "        attempt = state.yielding(place[1:])\n",
        "        pass\n",
        "a service that says yes after a no is not heard",
    ),
    Mutant(
        "gateway.reconcile",
        "if attempt.has_happened and not found.happened:",
        "if False:",
        "a service's no overrules its own yes",
    ),
    Mutant(
        "executor.run.effects",
        "return not (_is_the_same(call) and any(each.has_happened for each in calls))",
        "return True",
        "what was given up is doubtful beside the same that happened",
    ),
)
WRONG_WORDS = (
    Mutant(
        "sim_mistaken",
        "is_wrong = self._rng.random() < self._likely",
        "is_wrong = False",
        "nobody is ever wrong",
    ),
)
