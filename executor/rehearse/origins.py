"""Where a value that a plan refers to was first said: a place in the answer of some step's call.

A reference leads to an answer straight, through the items of lists, or through functions. What a
function computes has the origins of what it was given. The first element stands for all of them.

What a value rests on is more: also the answers that chose it, by a key, a clause or a condition.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from executor.fn import FUNCTIONS
from executor.plan.model import Arg, Lit, RefArg, Step, TextArg, ValueArg
from executor.plan.refs import Ref, array_index, parse_ref, refs_of_step, split_pointer

MOST_STEPS = 60  # from a reference to its origin
ELEMENT = "0"
_ONE_OF = ("fn.select", "fn.min_by", "fn.max_by")
_SAME = ("fn.filter", "fn.sort")


@dataclass(frozen=True)
class Origin:
    """A place in the answer of a step's call."""

    step: str
    path: tuple[str, ...]


@dataclass(frozen=True)
class Origins:
    """The origins of references in one plan."""

    steps: Mapping[str, Step]

    def of(self, text: str, at: Step | None, depth: int = 0) -> Iterator[Origin]:
        """The origins of a reference that stands in a step, or in the plan's answer."""
        yield from self._of(parse_ref(text), at, depth)

    def of_length(self, text: str, at: Step) -> tuple[Origin, ...]:
        """Where it is said how long a list is: of results of an each-step, where its list is."""
        return tuple(self.of(*self._list_behind(text, at)))

    def behind(self, text: str, at: Step | None) -> frozenset[str]:
        """The steps on whose answers it rests what a reference leads to, and if to anything."""
        found, seen, left = set[str](), set[str](), [(parse_ref(text).root, at)]
        while left:
            root, at = left.pop()
            is_item = root in ("each", "each_item")
            step = at if is_item or root == "result" else self.steps.get(root)
            if step is None:
                continue
            if is_item:
                left += [(parse_ref(step.each).root, step)] if step.each is not None else []
            elif step.action not in FUNCTIONS:
                found.add(step.id)
            elif step.id not in seen:
                seen.add(step.id)
                left += [(use.ref.root, step) for use in refs_of_step(step)]
        return frozenset(found)

    def behind_length(self, text: str, at: Step) -> frozenset[str]:
        """The steps on whose answers it rests how long a list is."""
        return self.behind(*self._list_behind(text, at))

    def _list_behind(self, text: str, at: Step) -> tuple[str, Step]:
        """The list that the results of each-steps are as long as."""
        for _ in self.steps:
            source = self.steps.get(text)
            if source is None or source.each is None:
                break
            text, at = source.each, source
        return text, at

    def _of(self, ref: Ref, at: Step | None, depth: int) -> Iterator[Origin]:
        if depth > MOST_STEPS:
            return
        if ref.root == "result" and at is not None:
            yield from self._below(at, ref.tokens, depth + 1)
        elif ref.root == "each" and at is not None and at.each is not None:
            yield from self._item(parse_ref(at.each), ref.tokens, at, depth + 1)
        elif ref.root == "each_item" and at is not None and at.each is not None:
            maker = self.steps.get(parse_ref(at.each).root)
            if maker is not None:
                yield from self._of(Ref("each", ref.tokens), maker, depth + 1)
        elif ref.root in self.steps:
            step = self.steps[ref.root]
            tokens = ref.tokens[1:] if step.each is not None else ref.tokens
            yield from self._below(step, tokens, depth + 1)

    def _item(self, listed: Ref, tokens: tuple[str, ...], at: Step, depth: int) -> Iterator[Origin]:
        source = self.steps.get(listed.root)
        if source is not None and source.each is not None and not listed.tokens:
            yield from self._below(source, tokens, depth)
        else:
            yield from self._of(Ref(listed.root, (*listed.tokens, ELEMENT, *tokens)), at, depth)

    def _below(self, step: Step, tokens: tuple[str, ...], depth: int) -> Iterator[Origin]:
        if step.action not in FUNCTIONS:
            yield Origin(step.id, tokens)
            return
        for text, below in self._given(step, tokens):
            yield from self._of(_with(text, below), step, depth)

    def _given(self, step: Step, tokens: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
        """What a function made a part of its result from: references, and paths below them."""
        args = {arg.to: arg for arg in step.args}
        whole = args.get("list", args.get("map"))
        if not isinstance(whole, RefArg):
            yield from ((text, ()) for arg in step.args for text in refs_in(arg))
            return
        match step.action:
            case name if name in _ONE_OF:
                yield whole.ref, (ELEMENT, *tokens)
            case name if name in _SAME:
                yield whole.ref, tokens
            case "fn.lookup":
                key = args.get("key")
                if isinstance(key, ValueArg) and isinstance(key.value, str):
                    yield whole.ref, (key.value, *tokens)
                else:
                    yield whole.ref, ()
            case "fn.pick":
                yield from self._picked(step, whole.ref, tokens)
            case "fn.sum":
                field = args.get("field")
                inside = str(field.value) if isinstance(field, ValueArg) else ""
                yield whole.ref, (ELEMENT, *split_pointer(inside))
            case _:
                yield whole.ref, ()

    def _picked(
        self, step: Step, ref: str, tokens: tuple[str, ...]
    ) -> Iterator[tuple[str, tuple[str, ...]]]:
        for arg in step.args:
            if arg.to.startswith("fields") and isinstance(arg, ValueArg) and len(tokens) > 1:
                path = split_pointer(str(arg.value))
                if path and path[-1] == tokens[1]:
                    yield ref, (tokens[0], *path, *tokens[2:])
                    return
        yield ref, tokens[:1]


def refs_in(arg: Arg) -> tuple[str, ...]:
    """The references that an argument is made from."""
    match arg:
        case RefArg(ref=ref):
            return (ref,)
        case TextArg(text=pieces):
            return tuple(piece.ref for piece in pieces if not isinstance(piece, Lit))
        case _:
            return ()


def starred(path: tuple[str, ...]) -> tuple[str, ...]:
    """A path with `*` for every place in a list."""
    return tuple("*" if array_index(token) is not None else token for token in path)


def _with(text: str, tokens: tuple[str, ...]) -> Ref:
    ref = parse_ref(text)
    return Ref(ref.root, (*ref.tokens, *tokens))
