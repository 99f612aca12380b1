"""Where references to the answer of a playbook that is called lead.

An entry that refers to an inner step leads there. Any other is a step of its own,
`call.result.NAME`, which waits for the whole call.
"""

from dataclasses import dataclass
from itertools import accumulate

from executor.check.playbook import Playbook, is_name
from executor.plan.model import Arg, RefArg, RefPiece, Step, TextArg
from executor.plan.refs import array_index, join_pointer, parse_ref, split_pointer


@dataclass(frozen=True)
class Nothing:
    """A reference that leads to nothing single; `at` is its place below the argument."""

    text: str
    at: str


class Answer:
    """The answer of one call; `asked` are the entries that have to be steps."""

    def __init__(self, step: Step, playbook: Playbook) -> None:
        self.asked: dict[tuple[str, ...], None] = {}
        self.entries = {split_pointer(arg.to): arg for arg in playbook.plan.answer}
        self._step = step
        self._inner = frozenset(each.id for each in playbook.plan.steps)

    def parts(self) -> tuple[str, ...]:
        """What can be referred to."""
        return tuple(join_pointer((self._step.id, *at)) for at in self.entries)

    def lead(self, tokens: tuple[str, ...]) -> str | None:
        """The reference that one into the answer becomes; None where nothing single is."""
        at = self._entry(tokens)
        return None if at is None else self._from(at, tokens[len(at) :])

    def _from(self, at: tuple[str, ...], rest: tuple[str, ...]) -> str:
        """The reference to what lies below an entry; one that has to be a step is asked for."""
        arg = self.entries[at]
        if isinstance(arg, RefArg) and (ref := parse_ref(arg.ref)).root in self._inner:
            return join_pointer((f"{self._step.id}.{ref.root}", *ref.tokens, *rest))
        self.asked[at] = None
        return join_pointer((self.result_id(at), *rest))

    def _entry(self, tokens: tuple[str, ...]) -> tuple[str, ...] | None:
        """The path of the entry at a path or above it."""
        above = accumulate(((token,) for token in tokens), initial=tuple[str, ...]())
        return next((at for at in above if at in self.entries), None)

    def led(self, arg: Arg, *, in_answer: bool) -> tuple[Arg, ...] | Nothing:
        """An argument of another step, or of the plan's answer, with its references led on."""
        match arg:
            case RefArg() if (ref := parse_ref(arg.ref)).root == self._step.id:
                if (led := self.lead(ref.tokens)) is not None:
                    return (RefArg(ref=led, to=arg.to),)
                return self._spelled(arg, ref.tokens, in_answer=in_answer)
            case TextArg(text=pieces):
                found = []
                for number, piece in enumerate(pieces):
                    if isinstance(piece, RefPiece) and parse_ref(piece.ref).root == self._step.id:
                        led = self.lead(parse_ref(piece.ref).tokens)
                        if led is None:
                            return Nothing(piece.ref, f"/text/{number}/ref")
                        piece = RefPiece(ref=led)
                    found.append(piece)
                return (TextArg(text=tuple(found), to=arg.to),)
            case _:
                return (arg,)

    def _spelled(
        self, arg: RefArg, tokens: tuple[str, ...], *, in_answer: bool
    ) -> tuple[Arg, ...] | Nothing:
        """A part of the answer that is put together, one argument for each entry."""
        below = [at for at in self.entries if at[: len(tokens)] == tokens]
        # Whether places are those of an array is for the target to say, which is not known here.
        lists = any(array_index(token) is not None for at in below for token in at[len(tokens) :])
        if not below or (lists and not in_answer):
            return Nothing(arg.ref, "/ref")
        to = split_pointer(arg.to)
        return tuple(
            RefArg(ref=self._from(at, ()), to=join_pointer((*to, *at[len(tokens) :])))
            for at in below
        )

    def source(self, tokens: tuple[str, ...]) -> tuple[RefArg, tuple[str, ...]] | None:
        """The entry of the answer at a path or above it, where it refers to an inner step."""
        if (at := self._entry(tokens)) is None:
            return None
        arg = self.entries[at]
        if isinstance(arg, RefArg) and parse_ref(arg.ref).root in self._inner:
            return arg, tokens[len(at) :]
        return None

    def result_id(self, entry: tuple[str, ...]) -> str:
        """The id of the step that an entry of the answer is."""
        match entry:
            case (name,) if is_name(name):
                return f"{self._step.id}.result.{name}"
            case _:
                return f"{self._step.id}.result.entry_{[*self.entries].index(entry)}"
