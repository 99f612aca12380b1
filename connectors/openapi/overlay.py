"""The operator's words on a document: names, manifests, credentials, where errors are.

A document only proposes; what stands in an overlay holds. Manifest members are those of
`ActionSpec`, by operation name.
"""

import base64
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    model_validator,
)

from connectors.errors import Kind
from connectors.openapi.parameters import Place
from connectors.outcome import Dialect
from connectors.overlay import SourceOverlay
from connectors.url import read_address

HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")]


def _address(text: str) -> str:
    """An address below which paths are called, or "" for the connection's own."""
    if text and ("?" in read_address(text).target or "#" in text):
        raise ValueError(f"{text!r} has more than a path")
    return text.rstrip("/")


Address = Annotated[str, AfterValidator(_address)]


class _Closed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Credential(_Closed):
    """How the connection's secret travels: in a header, in the query or as a cookie, in a form.

    `{basic}` is the secret, `user:password`, as basic authentication writes it. `replaces` names
    parameters, as the service calls them, that no plan gives because the secret takes their place.
    """

    header: HeaderName | None = None
    query: Annotated[str, Field(min_length=1)] | None = None
    cookie: HeaderName | None = None
    form: str = Field(default="", pattern=r"^$|\{secret\}|\{basic\}")
    replaces: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _is_in_one_place(self) -> Self:
        if sum(each is not None for each in (self.header, self.query, self.cookie)) > 1:
            raise ValueError("say one of header, query and cookie")
        return self

    @property
    def place(self) -> Place:
        """Where it travels."""
        if self.query is not None:
            return Place("query", self.query)
        if self.cookie is not None:
            return Place("cookie", self.cookie)
        return Place("header", self.header or "Authorization", "simple")

    def filled(self, secret: str) -> str:
        """What travels."""
        usual = "Bearer {secret}" if self.place.where == "header" else "{secret}"
        basic = base64.b64encode(secret.encode()).decode()
        return (self.form or usual).replace("{basic}", basic).replace("{secret}", secret)


class Errors(_Closed):
    """Where the service's error body has its code and its message."""

    code_at: tuple[str, ...] = ()
    message_at: tuple[str, ...] = ()
    request_id_at: tuple[str, ...] = ()
    request_id_header: str = "x-request-id"
    replayed_header: str = "idempotent-replayed"
    kinds: dict[str, Kind] = {}

    def dialect(self) -> Dialect:
        """The same for the outcome table."""
        return Dialect(
            code_at=self.code_at,
            message_at=self.message_at,
            request_id_at=self.request_id_at,
            request_id_header=self.request_id_header.lower(),
            replayed_header=self.replayed_header.lower(),
            kinds=self.kinds,
        )


class Pages(_Closed):
    """Where an answer has its rows, and how the next page is asked for.

    `more_at` points to a boolean that says whether there is one. What stands at `next_at` of the
    answer, or at `last_at` of its last row, is the cursor, which goes as the argument `by`; without
    `by` it is the address of the next page. Nothing there, or "", is the end.
    """

    rows_at: str
    more_at: str | None = None
    next_at: str | None = None
    last_at: str | None = None
    by: str | None = None

    @model_validator(mode="after")
    def _says_where_the_next_is(self) -> Self:
        if (self.next_at is None) == (self.last_at is None):
            raise ValueError("say next_at or last_at, one of them")
        if self.last_at is not None and (self.more_at is None or self.by is None):
            raise ValueError("last_at goes with more_at and by: every row has one, also the last")
        return self


class Overlay(SourceOverlay):
    """Everything an operator may say of a document.

    `servers` gives the address of a server that an operation names for itself; "" is base_url.
    `pages` says of reads where their next page is; null, that an answer is taken as it is.
    """

    credential: Credential | None = None
    errors: Errors = Errors()
    servers: dict[str, Address] = {}
    pages: dict[str, Pages | None] = {}
