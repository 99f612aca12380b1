"""Faults that show where a service answers what was not asked, or what takes back may not."""

from sim_mutant import Mutant

ODD = (
    Mutant(
        "connectors.looked_up",
        '    raise NotAskedForError(f"nothing that was found has our key at {lookup.key_at}")\n',
        "    return rows[0]\n",
        "who is searched for is whoever is found",
    ),
    Mutant(
        "connectors.looked_up",
        "return not status.id_at or text_at(output, tokens_of(status.id_at)) == handle",
        "return True",
        "the state of another job is believed",
    ),
    Mutant(
        "executor.run.compensation",
        'if judgement.verdict == "allow":',
        "if True:",
        "an effect is taken back though policy lets nobody",
    ),
    Mutant(
        "executor.run.perform",
        "if size <= self.result_bytes:",
        "if True:",
        "an answer is kept however large it is",
    ),
    Mutant(
        "executor.run.undo",
        "case _ if self._is_too_late(place) and not self._has_a_try_left(place, verdict):",
        "case _ if False:",
        "what takes back is tried however late it is",
    ),
    Mutant(
        "executor.run.instance",
        "if again_at == inf:",
        "if False:",
        "a job that never ends is nobody's to find out",
    ),
)
