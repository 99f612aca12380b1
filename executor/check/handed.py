"""What one call gives to a playbook: each input a constant, or a value from elsewhere.

A constant stands wherever the input is used. A value from elsewhere is held against the schema
that the playbook declares for the input, in a step of its own.
"""

from dataclasses import dataclass

from pydantic import JsonValue

from executor.check.playbook import Playbook
from executor.check.strict_json import MAX_SAFE_INTEGER, Flaw, read_json
from executor.check.types import Flow, validity
from executor.check.violation import Code
from executor.plan.model import Arg, JsonArg, Lit, Step, TextArg, ValueArg
from executor.plan.refs import array_index, split_pointer
from executor.plan.types import Type


@dataclass(frozen=True)
class Wrong:
    """What is wrong with a call; `at` is a pointer below its step."""

    code: Code
    at: str
    message: str
    candidates: tuple[str, ...] = ()
    fix: str = ""


@dataclass(frozen=True)
class Constant:
    """A value that is known."""

    value: JsonValue


class Handed:
    """The inputs of one call; `wrong` is everything that is wrong with them."""

    def __init__(self, step: Step, playbook: Playbook) -> None:
        self.constants: dict[str, Constant] = {}
        self.places: dict[str, tuple[int, ...]] = {}  # of the arguments of every other input
        self.wrong: list[Wrong] = []
        self._step = step
        self._playbook = playbook
        bound: dict[str, list[int]] = {}
        for index, arg in enumerate(step.args):
            first = (split_pointer(arg.to) or ("",))[0]
            if first not in playbook.inputs:
                self._has_no_such(index, arg)
            else:
                bound.setdefault(first, []).append(index)
        for name in playbook.inputs:
            self._bind(name, tuple(bound.get(name, ())))
        self._is_callable()

    def value(self, tokens: tuple[str, ...]) -> Constant | None:
        """What a path in the inputs leads to, where that is a constant; None if nothing is."""
        here = self.constants[tokens[0]].value
        for token in tokens[1:]:
            index = array_index(token)
            if isinstance(here, dict) and token in here:
                here = here[token]
            elif isinstance(here, list) and index is not None and index < len(here):
                here = here[index]
            else:
                return None
        return Constant(here)

    def _is_callable(self) -> None:
        name, plan = self._playbook.name, self._playbook.plan
        if plan.questions or plan.unable is not None:
            message = f"{name} asks questions or is unable: nothing of it can be called"
            fix = "Call another action, or ask the question."
            self.wrong.append(Wrong("unknown-action", "/action", message, (), fix))
        for text in self._playbook.undeclared:
            message = f"nothing is at {text} in {name}, which declares no such input"
            fix = "Ask the operator to repair the playbook."
            self.wrong.append(Wrong("unknown-path", "/action", message, (), fix))

    def _bind(self, name: str, places: tuple[int, ...]) -> None:
        declared = self._playbook.inputs[name]
        if not places:
            if isinstance(declared, dict) and "default" in declared:
                self.constants[name] = Constant(declared["default"])
                return
            message = f"{self._step.action} needs {name!r}"
            fix = "Bind it, or ask a question."
            self.wrong.append(Wrong("missing-argument", "/args", message, (name,), fix))
            return
        first = self._step.args[places[0]]
        known = constant_of(first) if len(places) == 1 and first.to == name else None
        if known is None:
            self.places[name] = places
            return
        self.constants[name] = known
        if validity(known.value, Type(declared, self._playbook.inputs_schema)) is Flow.NO:
            message = f"this can never be what {self._step.action} takes as {name!r}"
            at = f"/args/{places[0]}/{next(iter(first.model_dump(by_alias=True)))}"
            fix = "Take another value, or convert it with an `fn.*` step."
            self.wrong.append(Wrong("type-mismatch", at, message, (), fix))

    def _has_no_such(self, index: int, arg: Arg) -> None:
        message = f"{self._step.action} has no argument {arg.to!r}"
        if arg.to == "":
            message = f"the inputs of {self._step.action} are bound one by one"
        names = tuple(self._playbook.inputs)
        wrong = Wrong(
            "unknown-argument", f"/args/{index}/to", message, names, "Remove or rename it."
        )
        self.wrong.append(wrong)


def constant_of(arg: Arg) -> Constant | None:
    """The constant that an argument is, if it is one that JSON carries exactly."""
    match arg:
        case ValueArg(value=value):
            if isinstance(value, int | float) and abs(value) > MAX_SAFE_INTEGER:
                return None
            return Constant(value)
        case JsonArg(json_text=text):
            try:
                return Constant(read_json(text))
            except Flaw:
                return None
        case TextArg(text=pieces):
            literals = [each.lit for each in pieces if isinstance(each, Lit)]
            return Constant("".join(literals)) if len(literals) == len(pieces) else None
        case _:
            return None
