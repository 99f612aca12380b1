"""What a fault is that the histories have to notice: one text of one module is another."""

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Mutant:
    """One text of one module is another."""

    module: str
    before: str
    after: str
    why: str
    also: tuple[str, str, str] | None = None  # another module, where it guards against the same

    def changes(self, module: str) -> tuple[str, str] | None:
        """What is put for what in a module."""
        if module == self.module:
            return self.before, self.after
        return self.also[1:] if self.also and module == self.also[0] else None


def file_of(module: str) -> Path:
    inside = ROOT.joinpath(*module.split(".")).with_suffix(".py")
    return inside if inside.exists() else Path(__file__).with_name(f"{module}.py")


def mutated(mutant: Mutant, module: str) -> str:
    """A module's text with the fault; it must stand at one place."""
    change, text = mutant.changes(module), file_of(module).read_text(encoding="utf-8")
    assert change is not None
    assert text.count(change[0]) == 1, f"{module}: {change[0]!r} is not there once"
    return text.replace(*change)
