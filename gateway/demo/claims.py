"""What the demonstration claims: said once it was looked up; a false claim is the end of it."""

from dataclasses import dataclass, field
from pathlib import Path

from gateway.cli.show import say
from gateway.demo.people import Planned
from gateway.demo.process import failed


@dataclass
class Claims:
    """What an act claims, each looked up before it is said; a false one ends everything."""

    where: Path
    made: list[str] = field(default_factory=list)

    def holds(self, claim: str, is_so: bool, found: object = None) -> None:
        """Say what is so; raises `CliError` where it is not."""
        if not is_so:
            instead = "" if found is None else f"; found instead: {found}"
            raise failed(f"this does not hold: {claim}{instead}", self.where)
        self.made.append(claim)
        say(f"  ✓ {claim}", style="green")

    def need_plan(self, planned: Planned) -> None:
        """Raise `CliError` unless a request became a plan that was accepted."""
        if planned.request["status"] != "planned":
            row = planned.request
            why = row.get("message") or row.get("unable") or row.get("violations") or row["code"]
            raise failed(f"the request became no plan ({row['status']}): {why}", self.where)
