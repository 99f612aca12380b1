"""What the rules say of a connector, and how far it has come.

A tier is reached when every rule of it, and of those below, is kept or has nothing to look at.
What the author's example leaves out is not tried, and so not shown: it is missing, not kept.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, NoReturn

from connectors.errors import ConfigurationError
from connectors.testing.trial import Trial


class Tier(StrEnum):
    """From low to high."""

    BRONZE = "bronze"  # it says what it is, and keeps to it
    SILVER = "silver"  # it does what its manifests promise
    GOLD = "gold"  # and whatever its service does, what happened is called by its name


class Broken(AssertionError):
    """A rule that is not kept; says what was seen."""


class NotTried(Exception):
    """A rule that cannot be looked at until the example says more."""


class Spared(Exception):
    """A rule that has nothing to look at: no action of the kind is on offer."""


@dataclass(frozen=True)
class Rule:
    """One promise: its sentence is the checker's own."""

    tier: Tier
    check: Callable[[Trial], None]

    @property
    def name(self) -> str:
        """What it demands, as a word."""
        return getattr(self.check, "__name__", "")

    @property
    def sentence(self) -> str:
        """Why it is demanded."""
        return (self.check.__doc__ or "").strip()


@dataclass(frozen=True)
class Ruling:
    """What became of one rule, and why."""

    rule: Rule
    standing: Literal["kept", "broken", "untried", "spared"]
    why: str = ""

    @property
    def is_fine(self) -> bool:
        """Whether it does not hold the connector back."""
        return self.standing in ("kept", "spared")


@dataclass(frozen=True)
class Report:
    """What became of every rule."""

    rulings: tuple[Ruling, ...]

    @property
    def tier(self) -> Tier | None:
        """The highest tier that was reached."""
        reached = None
        for tier in Tier:
            if not all(each.is_fine for each in self.rulings if each.rule.tier is tier):
                break
            reached = tier
        return reached

    @property
    def missing(self) -> tuple[Ruling, ...]:
        """What is in the way of the next tier."""
        for tier in Tier:
            found = tuple(r for r in self.rulings if r.rule.tier is tier and not r.is_fine)
            if found:
                return found
        return ()


def ruled(rule: Rule, trial: Trial) -> Ruling:
    """Look at one rule."""
    try:
        rule.check(trial)
    except AssertionError as error:
        return Ruling(rule, "broken", str(error))
    except ConfigurationError as error:
        return Ruling(rule, "broken", f"nothing can be looked at, for it does not start: {error}")
    except NotTried as error:
        return Ruling(rule, "untried", str(error))
    except Spared as error:
        return Ruling(rule, "spared", str(error))
    return Ruling(rule, "kept")


def reported(rulings: Iterable[Ruling]) -> Report:
    """All of them together."""
    return Report(tuple(rulings))


def hold(is_so: bool, why: str) -> None:
    """Raise `Broken` unless it is so."""
    if not is_so:
        raise Broken(why)


def needs(member: str) -> NoReturn:
    """Raise `NotTried`: the example has to say this first."""
    raise NotTried(f"the example does not say `{member}`")
