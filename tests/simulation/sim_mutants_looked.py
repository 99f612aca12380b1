"""Faults in what a policy is told of what was read: only worlds that look come by them."""

from sim_mutant import Mutant

LOOKED = (
    Mutant(
        "executor.run.compensation",
        "so_far.read_of(self.place, self.action, self.arguments)",
        "so_far.read_of(target, self.action, self.arguments)",
        "what takes back believes what was read before",
    ),
    Mutant(
        "executor.run.so_far",
        "(until is None or until > answer.began)",
        "until is not None and until > answer.began",
        "a write in doubt outdates nothing",
    ),
    Mutant(
        "executor.run.so_far",
        "(until is None or until > answer.began)",
        "until is None",
        "what was read stands after a write",
    ),
    Mutant(
        "executor.run.so_far",
        "found.setdefault(each, set()).add(call.action)",
        "found.setdefault('1', set()).add(call.action)",
        "what was done to another object counts",
    ),
    Mutant(
        "executor.run.hold",
        "    if writes and any(policies.reads for _, policies in slices):\n",
        "    if False:\n",
        "a write begins beside a call that wanted a look",
    ),
    Mutant(
        "executor.run.decide",
        "if moves.denials and not (outside.in_flight or moves.commands):",
        "if moves.denials:",
        "a call is denied while others are under way",
    ),
    Mutant(
        "executor.run.instance",
        "isinstance(passage, Failed) and passage.may_change",
        "False",
        "a write is denied while others are in doubt",
    ),
    Mutant(
        "executor.run.undo",
        "case Failed(may_change=True) if self._may_change(place):",
        "case Failed(may_change=True) if False:",
        "what takes back is denied while others are under way",
    ),
)
