"""Why a part of a document is not offered: every reason there is, in the words `skipped` has.

A reason is one of these, and often what it is about after a colon. `docs/connectors/openapi.md`
lists them all; a test keeps it so.
"""

from enum import StrEnum

from connectors.text import visible


class Gap(StrEnum):
    """What is not supported, or not a plan's."""

    METHOD = "the method is not called"
    PATH = "its path is not a plain one"
    SERVER = "its server is not base_url; say in the overlay's `servers` where that is"
    XML_BODY = "it takes XML"
    OTHER_BODY = "it takes a body of a type that is not written"
    STREAM = "it answers with a stream of events"
    STYLE = "the style is not defined for what it is"
    NO_NAME = "a parameter has no name"
    LOCATION = "parameters are not sent there"
    CONTENT = "it is written as something else than JSON or text"
    OURS = "the header is not a plan's to set"
    CREDENTIAL = "the connection's credential travels there"
    NOT_IN_PATH = "it is not in the path"
    NOT_DECLARED = "no parameter says what it is, so it is taken as a text"
    OUTSIDE = "a $ref is outside the document"
    NOWHERE = "a $ref leads nowhere, so it is taken as anything"
    NO_PART = "a $ref to a part of an operation leads nowhere"
    CIRCLE = "a $ref leads to a $ref again and again"
    DEPTH = "a schema is nested too deeply"
    REACH = "the operations reach too many definitions together"
    HIDDEN = "a name has hidden characters"
    PATTERN = "a pattern cannot be read, so any text is taken"
    SCHEMA = "a schema cannot be read"
    WEBHOOK = "a webhook is the service's call, not ours"
    CALLBACK = "a callback is the service's call, not ours"

    def about(self, what: str) -> str:
        """The reason with what it is about."""
        return f"{self.value}: {what}"


def gap_of(reason: str) -> Gap:
    """Which of them a reason is; raises `ValueError`."""
    return next(each for each in Gap if reason == each or reason.startswith(f"{each}: "))


class UnsupportedError(Exception):
    """A part of a document that cannot be offered; says why."""

    def __init__(self, gap: Gap, what: str = "") -> None:
        what = visible(what, 300)
        super().__init__(gap.about(what) if what else gap.value)
        self.gap = gap
        self.what = what
