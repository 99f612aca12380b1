"""Which kind of world a history is of: its seed says it.

narrow     one run, small plans, every fault
computed   one run whose plan computes: functions, calls for each of what was read, a model
pair       two runs at once: a tenant, a connection and its limits are of both
wide pair  the same of wide plans: what stands as policy is of both, too
queued     three or four runs of two tenants, with priorities, on a file with its one process
upgraded   one run, and a newer version begins amid it
standby    one run, and a server that lacks what was kept (`sim_standby.py`), amid a call
failover   the same, at any time: perhaps no drive of the run is under way
odd        one run whose services answer what was not asked, or never (`sim_odd.py`)
mistaken   one run about which people and services are wrong (`sim_mistaken.py`)
looked     one run whose policy wants a look before some writes (`sim_looked.py`)
wide       one run: what asks, what changes, what is safe to undo (`sim_wide.py`)
"""

from typing import Literal

Kind = Literal[
    "narrow",
    "computed",
    "pair",
    "wide pair",
    "queued",
    "upgraded",
    "standby",
    "failover",
    "odd",
    "mistaken",
    "looked",
    "wide",
]
_COMPUTED = frozenset((1, 14, 27, 6))  # of thirty-nine seeds
_PAIR, _WIDE_PAIR = frozenset((10, 23)), 36
_QUEUED, _UPGRADED, _STANDBY, _FAILOVER = 11, 24, 12, 37
_ODD = frozenset((7, 19, 33))
_LOOKED = frozenset((3, 30))
_MISTAKEN = frozenset((18, 28, 32, 35, 38))
_WIDE = frozenset((0, 2, 4, 6, 8, 11))  # of fifteen of the rest


def kind_of(seed: int) -> Kind:
    """The same seed is always of the same kind."""
    turn = seed % 39
    if turn in _COMPUTED:
        return "computed"
    if turn in _PAIR:
        return "pair"
    if turn == _WIDE_PAIR:
        return "wide pair"
    if turn in (_QUEUED, _UPGRADED):
        return "queued" if turn == _QUEUED else "upgraded"
    if turn in (_STANDBY, _FAILOVER):
        return "standby" if turn == _STANDBY else "failover"
    if turn in _ODD:
        return "odd"
    if turn in _LOOKED:
        return "looked"
    if turn in _MISTAKEN:
        return "mistaken"
    return "wide" if seed % 15 in _WIDE else "narrow"
