"""References: a root, then the tokens of an RFC 6901 pointer without its leading slash."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from executor.plan.model import (
    Arg,
    Cond,
    ListCond,
    Plan,
    RefArg,
    RefCond,
    RefPiece,
    Step,
    TextArg,
    ValueCond,
)

MOST_KEPT: Final = 8_192  # texts that are split once: the same are asked for with every call
# Roots that stand for something of the step itself, so no other step is waited for.
OWN_ROOTS = frozenset({"each", "each_item", "result"})


@dataclass(frozen=True)
class Ref:
    """Where a value comes from: a root (a step id, `input`, `each`, ...) and a path below it."""

    root: str
    tokens: tuple[str, ...] = ()

    def __str__(self) -> str:
        return join_pointer((self.root, *self.tokens))


@dataclass(frozen=True)
class Use:
    """One reference at its place: `at` is a pointer into the plan or the step."""

    at: str
    ref: Ref
    role: str  # "arg", "each", "when" or "expect"


@lru_cache(MOST_KEPT)
def split_pointer(text: str) -> tuple[str, ...]:
    """Split `a/b~1c` into `("a", "b/c")`; the empty text is no token at all."""
    if text == "":
        return ()
    if "~" not in text:
        return tuple(text.split("/"))
    return tuple(token.replace("~1", "/").replace("~0", "~") for token in text.split("/"))


def join_pointer(tokens: tuple[str, ...]) -> str:
    """Write tokens as a pointer without a leading slash."""
    return "/".join(token.replace("~", "~0").replace("/", "~1") for token in tokens)


def array_index(token: str) -> int | None:
    """The array index that a token stands for (RFC 6901: no sign, no leading zero), or None."""
    if not token.isascii() or not token.isdigit() or (len(token) > 1 and token[0] == "0"):
        return None
    return int(token) if len(token) <= 9 else None


@lru_cache(MOST_KEPT)
def parse_ref(text: str) -> Ref:
    """Read a reference; any text is one, whether its root exists is for admission to say."""
    root, *tokens = split_pointer(text) or ("",)
    return Ref(root, tuple(tokens))


def refs_of_args(args: tuple[Arg, ...], at: str = "") -> Iterator[Use]:
    """Every reference in a list of arguments."""
    for index, arg in enumerate(args):
        match arg:
            case RefArg():
                yield Use(f"{at}/{index}/ref", parse_ref(arg.ref), "arg")
            case TextArg():
                for number, piece in enumerate(arg.text):
                    if isinstance(piece, RefPiece):
                        yield Use(f"{at}/{index}/text/{number}/ref", parse_ref(piece.ref), "arg")
            case _:
                pass


def refs_of_conds(conds: tuple[Cond, ...], at: str = "", role: str = "when") -> Iterator[Use]:
    """Every reference in a list of conditions."""
    for index, cond in enumerate(conds):
        match cond:
            case ValueCond():
                yield Use(f"{at}/{index}/left", parse_ref(cond.left), role)
            case RefCond():
                yield Use(f"{at}/{index}/lhs", parse_ref(cond.lhs), role)
                yield Use(f"{at}/{index}/rhs", parse_ref(cond.rhs), role)
            case ListCond():
                yield Use(f"{at}/{index}/subject", parse_ref(cond.subject), role)


def refs_of_step(step: Step, at: str = "") -> Iterator[Use]:
    """Every reference of a step, in the order in which the step is written."""
    yield from refs_of_args(step.args, f"{at}/args")
    if step.each is not None:
        yield Use(f"{at}/each", parse_ref(step.each), "each")
    yield from refs_of_conds(step.when, f"{at}/when", "when")
    yield from refs_of_conds(step.expect, f"{at}/expect", "expect")


def refs_of_plan(plan: Plan) -> Iterator[tuple[Step | None, Use]]:
    """Every reference of a plan with its step; the answer's come last, with none."""
    for index, step in enumerate(plan.steps):
        for use in refs_of_step(step, f"/steps/{index}"):
            yield step, use
    for use in refs_of_args(plan.answer, "/answer"):
        yield None, use
