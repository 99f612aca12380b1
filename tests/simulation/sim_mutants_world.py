"""Faults of the simulated world: no promise is broken, and something is not come by any more."""

from sim_mutant import Mutant

WORLD = (
    Mutant(
        "executor.run.perform",
        'return command.action.is_write and event.state != "uncertain"',
        "return False",
        "nobody who lost a run tells how its calls ended",
    ),
    Mutant(
        "sim_services",
        "return self.is_calm or self.rng.random() < 0.7",
        "return True",
        "every item of a call happens",
    ),
    Mutant(
        "sim_services",
        "self._later(rng.uniform(0.0, patience), action, context)\n"
        '                self.reached["a reply is lost"] += 1',
        "pass",
        "a lost reply means that nothing happened",
    ),
    Mutant(
        "sim_services",
        "self._later(patience + rng.uniform(0.0, SETTLE_S * 0.8), action, context)",
        "pass",
        "nothing happens after a time-out",
    ),
    Mutant(
        "sim_process",
        "        self.is_dead = True\n",
        "        return\n",
        "processes do not die",
    ),
    Mutant(
        "executor.run.perform",
        "lasts = min(until, start + intent.lease_s)",
        "lasts = inf",
        "a process sends although its lease is over",
    ),
    Mutant("sim_process", "self._running.clear()", "pass", "processes do not stand still"),
    Mutant("sim_chaos", "database.is_lost = True", "pass", "the database is never lost"),
    Mutant(
        "sim_chaos",
        "            life.drive(name, other)\n",
        "            pass\n",
        "no process takes over what another one drives",
    ),
    Mutant(
        "sim_services",
        'self.reached["replayed by its key"] += 1',
        "pass",
        "no service knows a key again",
    ),
    Mutant(
        "sim_services",
        'raise Refused("no", kind=kind, status=_STATUS[kind])',
        'raise Unavailable("no", sent=False)',
        "no service says no",
    ),
    Mutant("sim_chaos", "database.is_full = True", "pass", "there is always space"),
    Mutant(
        "sim_people",
        "        told = partial(\n            learn,",
        "        return\n        told = partial(\n            learn,",
        "no service tells by itself what became of a call",
    ),
    Mutant(
        "sim_people",
        "            return\n        connection",
        "            pass\n        return\n        connection",
        "nobody stops calls",
    ),
    Mutant("sim_wide", "self.stood.append((now,", "(lambda _: None)((now,", "no policy changes"),
    Mutant(
        "sim_people",
        'if row.kind != "envelope" or self._rng.random() < 0.4:',
        "if True:",
        "nobody narrows what is asked of a whole plan",
    ),
    Mutant("sim_chaos", "worker.machine.halt()", "return", "no process ends in good order"),
)
