"""The plan language: a finite, acyclic set of steps whose every argument says where it comes from.

A plan is data. A model, a person, a playbook or a test may write one; writing one grants
nothing. What a model emits is what is stored, shown, digested and run. The models are
frozen, closed and strict: nothing is coerced, and an unknown member is an error.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from connectors.canonical import canonical

LANGUAGE = 1

Scalar = str | int | float | bool | None
# A dot stands only in the id of a step of a playbook that was called: `refund.find`.
StepId = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}(\.[a-z][a-z0-9_]{0,39}){0,5}$")]
# The one function that asks a model, and what people are told of it.
EXTRACT = "fn.extract"
CALLED = "model call at run time"
RESERVED_IDS = frozenset({"input", "each", "each_item", "result", "fn"})
Operator = Literal["==", "!=", "<", "<=", ">", ">=", "matches", "exists"]


class _Closed(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, populate_by_name=True, allow_inf_nan=False
    )


class RefArg(_Closed):
    """An argument taken from an input or an earlier result."""

    ref: str
    to: str


class ValueArg(_Closed):
    """A constant scalar."""

    value: Scalar
    to: str


class Lit(_Closed):
    """A literal piece of a text."""

    lit: str


class RefPiece(_Closed):
    """A referenced piece of a text."""

    ref: str


class TextArg(_Closed):
    """A string joined from literals and references."""

    text: tuple[Lit | RefPiece, ...]
    to: str


class JsonArg(_Closed):
    """A constant object or array, as JSON text (strict schemas cannot hold open ones)."""

    json_text: str = Field(alias="json")
    to: str


Arg = RefArg | ValueArg | TextArg | JsonArg


class ValueCond(_Closed):
    """`left op value`: a reference against a constant."""

    left: str
    op: Operator
    value: Scalar


class RefCond(_Closed):
    """`lhs op rhs`: a reference against a reference."""

    lhs: str
    op: Operator
    rhs: str


class ListCond(_Closed):
    """`subject in list`: a reference against constants."""

    subject: str
    op: Literal["in"]
    list_of: tuple[Scalar, ...] = Field(alias="list")


Cond = ValueCond | RefCond | ListCond


class Step(_Closed):
    """One call of one catalogued action."""

    id: StepId
    why: str = ""
    action: str
    args: tuple[Arg, ...] = ()
    each: str | None = None
    when: tuple[Cond, ...] = ()
    expect: tuple[Cond, ...] = ()
    after: tuple[str, ...] = ()


class Assumption(_Closed):
    """Something taken for granted, with the words it rests on."""

    text: str
    quote: str = ""


class Question(_Closed):
    """Something to ask the person instead of guessing."""

    about: str
    ask: str
    options: tuple[str, ...] = ()


class Plan(_Closed):
    """The whole of what will be done, before anything is."""

    understanding: str = ""
    assumptions: tuple[Assumption, ...] = ()
    questions: tuple[Question, ...] = ()
    unable: str | None = None
    steps: tuple[Step, ...] = ()
    answer: tuple[Arg, ...] = ()

    def canonical(self) -> bytes:
        """The plan as canonical JSON, every member written out."""
        return canonical(self.stored()["plan"])

    def stored(self) -> dict[str, JsonValue]:
        """The stored form: `{"language": 1, "plan": ...}`, every member written out."""
        return {"language": LANGUAGE, "plan": self.model_dump(mode="json", by_alias=True)}
