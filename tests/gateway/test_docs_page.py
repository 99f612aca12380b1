"""The page of the API: all of the document, and nothing from anywhere else."""

import re
from html.parser import HTMLParser

import httpx2

VOID = {"meta", "link", "br", "hr", "img", "input", "tr", "td", "th"}


class Page(HTMLParser):
    """What of a page can be checked without a browser."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.ids += [value for name, value in attrs if name == "id" and value]
        self.links += [value for name, value in attrs if name in ("href", "src") and value]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag


async def test_the_page_shows_every_call_and_every_answer_and_each_link_leads_somewhere(
    requester: httpx2.AsyncClient,
) -> None:
    document = (await requester.get("/openapi.json")).json()
    answer = await requester.get("/docs")
    page = Page(answer.text)
    operations = [each for path in document["paths"].values() for each in path.values()]
    names = [each["operationId"] for each in operations]

    assert answer.headers["content-type"].startswith("text/html")
    assert len(page.ids) == len(set(page.ids))
    assert {*names, *document["components"]["schemas"]} <= {*page.ids}
    assert {each[1:] for each in page.links if each.startswith("#")} <= {*page.ids}
    assert page.open == []


async def test_the_page_needs_no_script_and_nobody_elses_server(
    requester: httpx2.AsyncClient,
) -> None:
    answer = await requester.get("/docs")
    page = Page(answer.text)

    assert "script" not in page.tags
    assert [each for each in page.links if not each.startswith("#")] == ["openapi.json"]
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert not re.search(r"https?://", answer.text)


async def test_calls_have_names_that_a_client_can_be_made_with(
    requester: httpx2.AsyncClient,
) -> None:
    document = (await requester.get("/openapi.json")).json()
    names = [each["operationId"] for path in document["paths"].values() for each in path.values()]

    assert len(names) == len(set(names))
    assert {"requests_receive", "runs_explain", "approvals_decide"} <= {*names}
    assert all(re.fullmatch("[a-z]+_[a-z]+", each) for each in names)
