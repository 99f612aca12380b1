"""Faults in what a plan means: only worlds whose plans compute come by them."""

from sim_mutant import Mutant

VALUES = (
    Mutant(
        "executor.run.items",
        'own["each_item"] = self._makers[index]',
        'own["each_item"] = self._makers[-1]',
        "an item is told what another one was made for",
    ),
    Mutant(
        "executor.run.items",
        "if item is None and self._makers is not None:",
        "if False:",
        "a call is made for an item that the step before passed over",
    ),
    Mutant(
        "executor.run.items",
        "return [outputs.get(str(index)) for index in range(count)]",
        "return [each for n in range(count) if (each := outputs.get(str(n))) is not None]",
        "the results of a list close up where an item was passed over",
    ),
    Mutant(
        "executor.run.items",
        "                room -= 1\n",
        "",
        "more calls of one run are under way together than may be",
    ),
    Mutant(
        "executor.run.moves",
        'if gone and step.action != "fn.first_of":',
        "if gone:",
        "whichever of two was made is passed over with the other",
    ),
    Mutant(
        "executor.run.moves",
        "        if gone and step.action",
        "        if False and step.action",
        "a step goes on without a step that was skipped",
    ),
    Mutant(
        "executor.run.prepare",
        "        return Failed(error.code, error.message)\n    if size.is_deep(output):",
        '        return Failed(error.code, error.message, "unknown")\n    if size.is_deep(output):',
        "a function that cannot be computed is said to have acted",
    ),
    Mutant(
        "executor.run.prepare",
        'return expected(step, output, scope, "no")',
        "return Done(output)",
        "nobody looks whether what a function gives is as expected",
    ),
    Mutant(
        "executor.run.state",
        'return self.ended is not None and self.ended.state == "applied"',
        'return self.ended is not None and self.ended.state == "applied" '
        "and self.intent.effect is not Effect.READ",
        "what was read counts as not answered",
    ),
    Mutant(
        "executor.run.fold",
        "        _keep(answers, place[1], applied[0] if applied else None)\n",
        "        _keep(answers, str(len(answers)), applied[0] if applied else None)\n",
        "answers are kept in the order in which they came",
    ),
    Mutant(
        "executor.fn.elements",
        "ranked.sort(key=lambda pair: pair[0][2], reverse=descending)",
        "ranked.sort(key=lambda pair: pair[0][2])\n"
        "    ranked = ranked[::-1] if descending else ranked",
        "of equal ones the last comes first",
    ),
)
