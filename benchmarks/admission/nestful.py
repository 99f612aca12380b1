"""NESTFUL's call sequences as plans: `$var1.field$` is a reference, arithmetic is an `fn.*` step.

Both versions of the set share this. What a plan contradicts is found here too, from the tools'
declarations alone and by other means than admission: look-ups, a validator, sets of types.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue

from benchmarks.admission.declared import Names, argument, is_valid
from connectors.catalog import Catalog
from connectors.spec import ActionSpec, JsonObject
from executor.plan.refs import join_pointer

_REF = re.compile(r"\$(var_?[0-9]+)((?:\.[^$.]+)*)\$")
_SUM = re.compile(
    r"\s*([0-9.]+)\s*([*+-])\s*(\$[^$]+\$)\s*|\s*(\$[^$]+\$)\s*([*+-])\s*([0-9.]+)\s*"
)
_FUNCTIONS = {"*": "fn.multiply", "+": "fn.add", "-": "fn.subtract"}


@dataclass
class Sequence:
    """One call sequence on its way to a plan: `defects` are the codes that its plan deserves."""

    catalog: Catalog
    names: Names
    steps: list[JsonValue] = field(default_factory=list)
    defects: set[str] = field(default_factory=set)
    _labels: dict[str, str] = field(default_factory=dict)  # a label's action
    _helpers: int = 0

    def call(self, name: str, arguments: JsonObject, label: str) -> None:
        """Add one call; its label becomes the step's id."""
        action = self.catalog.get(self.names.of(name))
        declared = properties_of(action)
        given: list[JsonValue] = []
        for key, value in arguments.items():
            given += self._bound(value, (key,), declared.get(key) if action else None)
        if action is None:
            self.defects.add("unknown-action")
        else:
            self._look_at_names(action, arguments)
        step_id = step_of(label)
        self._labels[step_id] = self.names.of(name)
        self.steps.append({"id": step_id, "action": self.names.of(name), "args": given})

    def answer(self, arguments: JsonObject) -> list[JsonValue]:
        """What the sequence ends with."""
        return [arg for key, value in arguments.items() for arg in self._bound(value, (key,), None)]

    def _look_at_names(self, action: ActionSpec, arguments: JsonObject) -> None:
        if arguments.keys() - properties_of(action).keys():
            self.defects.add("unknown-argument")
        required = action.input_schema.get("required")
        if not set(required if isinstance(required, list) else []) <= arguments.keys():
            self.defects.add("missing-argument")

    def _bound(
        self, value: JsonValue, to: tuple[str, ...], schema: JsonObject | None
    ) -> Iterator[JsonValue]:
        if not any(True for _ in refs_in(value)):
            if schema is not None and not is_valid(value, schema):
                self.defects.add("type-mismatch")
            yield argument(value, join_pointer(to))
        elif isinstance(value, str):
            yield self._referring(value, join_pointer(to), schema)
        else:
            inside = value.items() if isinstance(value, dict) else enumerate(_listed(value))
            for key, member in inside:
                yield from self._bound(member, (*to, str(key)), _below(schema, key))

    def _referring(self, text: str, to: str, schema: JsonObject | None) -> JsonValue:
        whole, sum_of = _REF.fullmatch(text), _SUM.fullmatch(text)
        if whole:
            found = self._type_at(whole)
            if schema is not None and found is not None and _is_apart(found, schema):
                self.defects.add("type-mismatch")
            return {"ref": ref_of(whole), "to": to}
        if sum_of:
            return {"ref": self._computed(sum_of), "to": to}
        pieces: list[JsonValue] = []
        end = 0
        for match in _REF.finditer(text):
            self._type_at(match)
            if match.start() > end:
                pieces.append({"lit": text[end : match.start()]})
            pieces.append({"ref": ref_of(match)})
            end = match.end()
        pieces += [{"lit": text[end:]}] if end < len(text) else []
        return {"text": pieces, "to": to}

    def _computed(self, match: re.Match[str]) -> str:
        """A step of its own for arithmetic around a value."""
        before, op, after, first, operator, last = match.groups()
        self._helpers += 1
        sides: list[JsonValue] = []
        pair = (before, after) if op else (first, last)
        for side, text in zip(("left", "right"), pair, strict=True):
            reference = _REF.fullmatch(text)
            if reference:
                self._type_at(reference)
                sides.append({"ref": ref_of(reference), "to": side})
            else:
                number = float(text)
                sides.append({"value": int(number) if number.is_integer() else number, "to": side})
        step_id = f"computed_{self._helpers}"
        self.steps.append({"id": step_id, "action": _FUNCTIONS[op or operator], "args": sides})
        return step_id

    def _type_at(self, match: re.Match[str]) -> JsonObject | None:
        """The declared type at a reference; what is not there is a defect."""
        label = self._labels.get(step_of(match[1]))
        if label is None:
            self.defects.add("unknown-step")
            return None
        action = self.catalog.get(label)
        here: JsonObject | None = action.output_schema if action else None
        for token in tokens_of(match):
            if here is None or not (here.keys() & {"type", "properties", "enum"}):
                return None
            own = here.get("properties")
            if here.get("type") == "array" and token.isdigit():
                here = _schema(here.get("items"))
            elif isinstance(own, dict) and token in own:
                here = _schema(own[token])
            elif here.get("type") == "object" and not isinstance(own, dict):
                return None
            else:
                self.defects.add("unknown-path")
                return None
        return here


def refs_in(value: JsonValue) -> Iterator[re.Match[str]]:
    """Every reference in a value, however deep."""
    if isinstance(value, str):
        yield from _REF.finditer(value)
    elif isinstance(value, dict | list):
        for member in value.values() if isinstance(value, dict) else value:
            yield from refs_in(member)


def step_of(label: str) -> str:
    """`$var_1` and `var1` are one step."""
    return label.strip("$").replace("_", "")


def tokens_of(match: re.Match[str]) -> list[str]:
    """The path of a reference; `items[0]` is two tokens."""
    return [
        token
        for part in match[2].split(".")[1:]
        for token in (part.rstrip("]").replace("]", "").split("["))
    ]


def ref_of(match: re.Match[str]) -> str:
    """A reference as the language writes it."""
    return join_pointer((step_of(match[1]), *tokens_of(match)))


def properties_of(action: ActionSpec | None) -> Mapping[str, JsonObject]:
    """The declared arguments."""
    found = action.input_schema.get("properties") if action else None
    return {k: _schema(v) or {} for k, v in found.items()} if isinstance(found, dict) else {}


def _schema(node: JsonValue) -> JsonObject | None:
    return node if isinstance(node, dict) else None


def _listed(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else []


def _below(schema: JsonObject | None, key: object) -> JsonObject | None:
    own = (schema or {}).get("properties")
    return _schema(own.get(str(key)) if isinstance(own, dict) else (schema or {}).get("items"))


def _is_apart(given: JsonObject, wanted: JsonObject) -> bool:
    """Whether no value can have both declared types."""
    have, want = _kinds(given), _kinds(wanted)
    if have and want and not have & want:
        return True
    lists = given.get("enum"), wanted.get("enum")
    return all(isinstance(each, list) for each in lists) and not any(
        value in _listed(lists[1]) for value in _listed(lists[0])
    )


def _kinds(schema: JsonObject) -> set[str]:
    declared = schema.get("type")
    names = {declared} if isinstance(declared, str) else set(map(str, _listed(declared)))
    if "enum" in schema and not names:
        names = (
            {"string"} if all(isinstance(each, str) for each in _listed(schema["enum"])) else set()
        )
    if schema.get("nullable") is True and names:
        names.add("null")
    return names | ({"integer"} if "number" in names else set())
