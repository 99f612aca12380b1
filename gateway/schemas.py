"""What clients send; every member is checked and an unknown one is an error."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue
from pydantic_core import PydanticCustomError

from connectors.oauth import OAuthClient
from connectors.spec import JsonObject
from executor.check.envelope import DECIMALS
from executor.check.narrowing import CURRENCY, Narrowing
from executor.store.drives import Priority
from gateway.credentials import CredentialKind
from gateway.reason import MOST_REASON, says_something


def _says_something(text: str) -> str:
    if not says_something(text):
        raise PydanticCustomError("unreadable", "there is nothing in it that can be read")
    return text


Name = Annotated[str, Field(max_length=200)]  # of what there is, or is not: it is told again
Words = Annotated[str, Field(min_length=1, max_length=20_000), AfterValidator(_says_something)]
LONGEST_KEY = 200  # characters of an Idempotency-Key
CREDENTIAL_ID = re.compile(r"[a-z0-9][a-z0-9_.-]{0,59}")
NAME, ROLE = r"^[A-Za-z0-9._@-]{1,80}$", r"^[a-z][a-z0-9_-]{0,39}$"
TENANT = r"^[a-z0-9][a-z0-9_-]{0,39}$"
USER, DIGEST = r"^[!-9;-~]{1,200}$", r"^sha256:[0-9a-f]{64}$"
# What is said of a text that has another form.
FORMS = {
    NAME: "1 to 80 of A-Z, a-z, 0-9, and . _ @ -",
    ROLE: "1 to 40 of a-z, 0-9, _ and -, and a letter first",
    TENANT: "1 to 40 of a-z, 0-9, _ and -, and a letter or a digit first",
    USER: "1 to 200 visible characters of ASCII, and no colon",
    DIGEST: "sha256: and 64 hexadecimal digits, a-f in lower case",
    DECIMALS: 'an amount as a text, such as "50.00"',
    CURRENCY: "three capital letters, such as EUR",
}
Reason = Annotated[
    str, Field(min_length=1, max_length=MOST_REASON), AfterValidator(_says_something)
]


class _Closed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class NewRequest(_Closed):
    """`POST /v1/requests`: what somebody wants, in plain words."""

    text: Words
    model: Name | None = None
    inputs: JsonObject = {}
    start: Literal["auto", "manual"] = "auto"
    priority: Priority = "normal"


class Answers(_Closed):
    """`POST /v1/requests/{id}/answers`: by what each question is about."""

    answers: dict[Name, Words] = Field(min_length=1)


class NewPlan(_Closed):
    """`POST /v1/plans`: a plan that was written elsewhere."""

    plan: JsonObject
    request: str = Field(default="", max_length=20_000)
    inputs: JsonObject = {}


class NewRun(_Closed):
    """`POST /v1/plans/{id}/runs`: run an accepted plan."""

    priority: Priority = "normal"


class NewRehearsal(_Closed):
    """`POST /v1/plans/{id}/rehearse`: tell what a run would do.

    `size` is how many elements made-up lists have, `scenarios` how many are shown at the most;
    with `recorded`, a call that was made before is answered as it was then.
    """

    size: int = Field(default=2, ge=1, le=10)
    scenarios: int = Field(default=12, ge=1, le=50)
    recorded: bool = True


class Cancel(_Closed):
    """`POST /v1/runs/{id}/cancel`: no new effects; `undo` takes back what happened."""

    mode: Literal["stop", "undo"] = "stop"


class InputAnswer(_Closed):
    """One answer to a service that asked: yes with what it wants to know, or no."""

    action: Literal["accept", "decline", "cancel"]
    content: JsonObject | None = None


class Reconcile(_Closed):
    """`POST /v1/runs/{id}/reconcile`: what a person found out about an uncertain effect.

    With `answer` it is what the call asked before it goes on: an answer for each name.
    """

    step: Name
    iteration: Name = ""
    resolution: Literal["happened", "send_again", "abandon", "answer"]
    output: JsonValue = None
    answers: dict[Name, InputAnswer] | None = None
    reason: Reason


class Evidence(_Closed):
    """`POST /v1/evidence`: what a service said later of a call, by the key that it had carried."""

    key: str = Field(min_length=1, max_length=200)
    happened: bool
    output: JsonValue = None
    source: str = Field(pattern=NAME)


class NewDecision(_Closed):
    """`POST /v1/approvals/{id}/decision`: one person's yes or no, with a reason."""

    decision: Literal["approve", "refuse"]
    reason: Reason
    narrow: Narrowing | None = None  # of an envelope: what is approved is less than was shown


class NewKey(_Closed):
    """`POST /v1/keys`: a key for somebody of the operator's tenant, or of the one that is named.

    A tenant is there once it has a key.
    """

    principal: str = Field(pattern=NAME)
    tenant: str | None = Field(default=None, pattern=TENANT)
    roles: list[Annotated[str, Field(pattern=ROLE)]] = Field(min_length=1, max_length=100)


class SetCredential(_Closed):
    """`PUT /v1/credentials/{id}`: what a connection's `store:ID` stands for."""

    kind: CredentialKind
    secret: str | None = Field(default=None, max_length=20_000)
    user: str | None = Field(default=None, pattern=USER)  # of basic
    oauth: OAuthClient | None = None


class NewStop(_Closed):
    """`POST /v1/stops`: no call begins any more, of one connection or, with none, of all."""

    connection: Name | None = None
    tenants: Literal["own", "all"] = "own"
    reason: Reason


class Lift(_Closed):
    """`POST /v1/stops/{id}/lift`: calls may begin again."""

    reason: Reason


class Acceptance(_Closed):
    """`POST /v1/connections/{name}/review`: the digest of exactly what was looked at."""

    digest: str = Field(pattern=DIGEST)


class Nothing(_Closed):
    """A POST that needs no body."""
