"""The rows of the table: how many faults there were and what became of them."""

from collections.abc import Iterable
from dataclasses import dataclass, field

HEAD = f"{'':34}{'faults':>8}{'found':>8}{'survived':>10}{'equivalent':>12}{'score':>9}{'s':>8}"


@dataclass
class Score:
    """One row of the table."""

    name: str
    found: int = 0
    survived: list[str] = field(default_factory=list)
    equivalent: int = 0
    wrongly_listed: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def count(self) -> int:
        return self.found + len(self.survived) + self.equivalent

    @property
    def share(self) -> float:
        """Found of those that change something."""
        judged = self.found + len(self.survived)
        return self.found / judged if judged else 1.0

    def row(self) -> str:
        """The row, in columns."""
        return (
            f"{self.name:34}{self.count:8}{self.found:8}{len(self.survived):10}"
            f"{self.equivalent:12}{self.share:9.1%}{self.seconds:8.0f}"
        )

    def count_one(self, shown: str, is_found: bool, is_equivalent: bool, by: str = "") -> None:
        """Count one fault; what is listed as equivalent and yet found is told apart."""
        if is_found:
            self.found += 1
            if is_equivalent:
                self.wrongly_listed.append(f"{shown}\n    by {by}")
        elif is_equivalent:
            self.equivalent += 1
        else:
            self.survived.append(shown)


def total(scores: Iterable[Score]) -> Score:
    """All rows as one."""
    found = Score("total")
    for each in scores:
        found.found += each.found
        found.survived += each.survived
        found.equivalent += each.equivalent
        found.seconds += each.seconds
    return found
