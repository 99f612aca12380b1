"""The requests of a call, each of which may be the one that goes wrong.

Many calls take more than one: what a write has to know is read first, and what it made is read
back. So every failure is tried at each request in turn. What is true then depends on one thing,
whether the call had acted, and that is not taken from the connector: the request that acts is the
first one after which the effect is there although nobody heard the answer.

    the request that goes wrong      reads        acts                       comes after
    ───────────────────────────      ─────        ────                       ───────────
    what is due of a write           no effect    what its failure says      it happened
    of a read                        no effect    -                          -
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from connectors.connector import Applied, Unreadable
from connectors.errors import ConnectorError
from connectors.testing.service import Fault, Service
from connectors.testing.tiers import Broken, NotTried, hold, needs
from connectors.testing.trial import AnyCall, Trial, Tried, Way
from connectors.validate import first_flaw

LOST = Fault(acts=True, ending="cut")


class Stage(StrEnum):
    """How a request stands to the one that acts."""

    READING = "reads"
    ACTING = "acts"
    DONE = "comes after"


@dataclass(frozen=True)
class Step:
    """One request of a call, counted from 1, and how long the call takes where all is well."""

    call: AnyCall
    at: int
    of: int
    stage: Stage
    took_s: float

    def hold(
        self,
        tried: Tried,
        what: str,
        *,
        reading: type[ConnectorError],
        acting: type[ConnectorError | Unreadable],
    ) -> None:
        """What a failure has to be called; once it happened, nothing else is true."""
        due: tuple[type, ...] = (reading,) if self.stage is Stage.READING else (acting,)
        if self.stage is Stage.DONE or (acting is Unreadable and self.is_read_back):
            due = (Unreadable, Applied)
        names = " or ".join(each.__name__ for each in due)
        hold(isinstance(tried.ended, due), f"{self.told(what)}: {tried.was}, not in {names}")
        if isinstance(tried.ended, Applied):
            flaw = first_flaw(tried.action.output_schema or {}, tried.output)
            hold(flaw is None, f"{self.told(what)}: {tried.action.name}: {flaw}")

    @property
    def is_read_back(self) -> bool:
        """Whether it acts and something comes after it, so that its answer may not be needed."""
        return self.stage is Stage.ACTING and self.at < self.of

    def told(self, what: str) -> str:
        """What went wrong, and where."""
        return what if self.of == 1 else f"{what} at request {self.at} of {self.of}"


def steps_of(trial: Trial) -> Sequence[Step]:
    """Each request of each call of the example."""
    service_of(trial)
    found: list[Step] = []
    for number, call in enumerate(trial.example.good or needs("read")):
        if number not in trial.known:
            trial.known[number] = _way(trial, call)
        way = trial.known[number]
        found += [
            Step(call, at, way.requests, _stage(at, way.acting), way.took_s)
            for at in range(1, way.requests + 1)
        ]
    return found


def service_of(trial: Trial) -> Service:
    """The service that can be spoiled."""
    return trial.example.service or needs("service")


def _way(trial: Trial, call: AnyCall) -> Way:
    good = trial.call(call)
    hold(isinstance(good.ended, Applied), good.was)
    of = len(good.asked)
    hold(of > 0, f"{good.action.name} asked the service nothing")
    acting = _acting(trial, call, good) if good.action.is_write else of + 1
    return Way(of, acting, good.seconds)


def _stage(at: int, acting: int) -> Stage:
    if at == acting:
        return Stage.ACTING
    return Stage.READING if at < acting else Stage.DONE


def _acting(trial: Trial, call: AnyCall, good: Tried) -> int:
    """Which request of a write acts."""
    of, name = len(good.asked), good.action.name
    if of == 1:
        return 1
    if trial.example.effects is None:
        needs("effects")
    if good.effects == 0:
        raise NotTried(f"{name} has no effect when it is made again: let the example say it anew")
    for at in range(1, of + 1):
        if trial.call(call, fault=LOST, at=at).effects:
            return at
    raise Broken(f"none of the {of} requests of {name} has an effect")
