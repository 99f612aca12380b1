"""The page about OpenAPI lists every reason for which something is not offered."""

from pathlib import Path

import pytest

from connectors.openapi.gaps import Gap, gap_of

PAGE = Path(__file__).parents[2] / "docs" / "connectors" / "openapi.md"
WHAT = {
    Gap.METHOD: "OPTIONS and TRACE: they are about the service, and no plan needs them",
    Gap.PATH: "a space, `//`, `..`, or half a template in its query: it could be another path",
    Gap.SERVER: "a server of its own: a document must not decide where our key goes",
    Gap.XML_BODY: "XML alone: JSON Schema does not say how it is written",
    Gap.OTHER_BODY: "`multipart/mixed` and the like, or objects in a type that is not known",
    Gap.STREAM: "`text/event-stream` alone: a call has one result",
    Gap.STYLE: "a style that OpenAPI does not define there, such as a list in several cookies",
    Gap.NO_NAME: "an operation with a parameter without a name",
    Gap.LOCATION: "parameters that are neither in path, query, header nor cookie",
    Gap.CONTENT: "parameters that are XML or the like",
    Gap.OURS: "`Host`, `Authorization`, `Idempotency-Key` and the like: the overlay's, or ours",
    Gap.CREDENTIAL: "a parameter where a security scheme has its key",
    Gap.NOT_IN_PATH: "a path parameter that its path has not",
    Gap.NOT_DECLARED: "noted: the operation is offered",
    Gap.OUTSIDE: "what needs another document: nothing is fetched",
    Gap.NOWHERE: "noted: what refers to it is offered",
    Gap.PATTERN: "noted: JSON Schema's patterns are those of ECMA-262, and some write others",
    Gap.NO_PART: "an operation with a parameter, body or answer that is not there",
    Gap.CIRCLE: "references that never arrive",
    Gap.DEPTH: "schemas nested more than 60 deep, without a `$ref`",
    Gap.REACH: "more than 500,000, which is fifteen times what any real document has",
    Gap.HIDDEN: "names with characters that nobody sees",
    Gap.SCHEMA: "an enumeration with a number that no plan can write, and the like",
    Gap.WEBHOOK: "webhooks",
    Gap.CALLBACK: "callbacks; their operation is offered",
}


def table() -> str:
    rows = [f"| {gap.value} | {WHAT[gap]} |" for gap in Gap]
    return "\n".join(["| reason | what, and why |", "|---|---|", *rows])


def test_the_page_lists_every_reason() -> None:
    text = PAGE.read_text(encoding="utf-8")
    _, _, rest = text.partition("<!-- gaps -->\n")

    assert rest.partition("\n<!-- /gaps -->")[0] == table()


@pytest.mark.parametrize("gap", Gap)
def test_a_reason_is_known_by_its_words(gap: Gap) -> None:
    assert gap_of(gap.value) is gap
    assert gap_of(gap.about("something: else")) is gap
