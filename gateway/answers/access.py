"""What is answered about keys and credentials: never a secret, but of a new key once."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from connectors.spec import JsonObject
from gateway.answers.told import Told
from gateway.credentials import CredentialKind


class KeyTold(Told):
    """A key, never its secret."""

    id: str
    principal: str
    roles: list[str]
    created_at: float
    revoked_at: float | None


class NewKeyTold(Told):
    """A key that was made; its secret is told once, and no replay has it."""

    id: str
    tenant: str
    principal: str
    roles: list[str]
    secret: str | None


class RevokedTold(Told):
    """A key that is over."""

    id: str
    revoked: bool


class ActTold(BaseModel):
    """What somebody did with a credential; what else is said depends on `act`."""

    model_config = ConfigDict(frozen=True, extra="allow")

    at: float
    by: str
    act: str


class CredentialTold(Told):
    """What is kept of a credential, never its secret; `connect` is where a consent is begun."""

    id: str
    kind: CredentialKind
    settings: JsonObject
    standing: Literal["ready", "unconnected", "refused"]
    reason: str | None
    connect: str | None
    expires_at: float | None
    key: str
    is_current: bool
    created_at: float
    updated_at: float


class CredentialStoryTold(CredentialTold):
    """The same with who did what with it, and when."""

    history: list[ActTold]


class RemovedTold(Told):
    """A credential that is gone."""

    id: str
    removed: bool


class ConsentTold(Told):
    """Where a browser begins a consent."""

    id: str
    link: str
    expires_at: float


class RotatedTold(Told):
    """The newest master key, and how many credentials it had to be put around."""

    key: str
    resealed: int
