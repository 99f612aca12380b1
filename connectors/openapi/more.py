"""What the body of an answer says of there being more, by the names that services have for it.

Nothing here says where the next page is: that an overlay declares. It only tells that an answer
which nobody declared is not all of it. Counts (`total`) say nothing, for they are also amounts.
"""

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from urllib.parse import urlsplit

from pydantic import JsonValue

from connectors.spec import JsonObject

# By their letters alone: `has_more`, `hasMore`.
_TRUE = frozenset(("hasmore", "hasmoreitems", "hasnext", "hasnextpage", "istruncated"))
_FALSE = frozenset(("islast", "islastpage"))
_SAID = frozenset(
    ("nextcursor", "nextpagecursor", "nexttoken", "nextpagetoken", "nextcontinuationtoken",
     "continuationtoken", "nextmarker", "nextlink", "odatanextlink", "nextpagelink", "nexturl",
     "nexturi", "nextpageurl", "nextpage", "nextoffset")
)  # fmt: skip
# `next` alone is also the next of a series: it counts as the address of a page, in these places.
_ABOUT = frozenset(("", "links", "meta", "metadata", "paging", "pagination", "page", "pageinfo"))
_SIZES = frozenset(
    ("perpage", "pagesize", "pagelimit", "limit", "count", "size", "first", "top", "rows", "take",
     "maxresults", "maxitems", "itemsperpage", "resultsperpage")
)  # fmt: skip
_PLACES = frozenset(
    ("page", "pagenumber", "pageno", "pagetoken", "pagecursor", "cursor", "offset", "skip",
     "startat", "startindex", "startingafter", "endingbefore", "marker", "nexttoken",
     "nextpagetoken", "continuationtoken")
)  # fmt: skip
_DEEPEST, _WIDEST, _MOST_OBJECTS = 3, 200, 100


def is_size(name: str) -> bool:
    """Whether an argument of this name says how many are wanted."""
    return _letters(name) in _SIZES


def wants_a_part(arguments: Mapping[str, JsonValue]) -> bool:
    """Whether arguments say how many are wanted, or which page."""
    inner = (each for each in arguments.values() if isinstance(each, dict))
    names = {_letters(name) for given in (arguments, *inner) for name in given}
    return not names.isdisjoint(_SIZES | _PLACES)


def more_told(output: JsonValue, url: str) -> str | None:
    """The name by which an answer says that there is more of its list, or None."""
    found = _objects(output, "", is_beside_list=False) if isinstance(output, dict) else ()
    for at, members in islice(found, _MOST_OBJECTS):
        around = _letters(at.rpartition("/")[2])
        for name, value in members.items():
            if _says_more(_letters(name), value, around, url):
                return f"{at}/{name}".lstrip("/")
    return None


def _objects(
    here: JsonObject, at: str, *, is_beside_list: bool
) -> Iterator[tuple[str, JsonObject]]:
    """The objects of an answer, by where they are, that have a list or stand beside one."""
    if len(here) > _WIDEST:
        return  # it is a map of things
    has_list = _has_list(here)
    if has_list or is_beside_list:
        yield at, here
    if at.count("/") < _DEEPEST:
        for name, each in here.items():
            if isinstance(each, dict):
                yield from _objects(each, f"{at}/{name}", is_beside_list=has_list)


def _has_list(value: JsonObject) -> bool:
    return any(isinstance(each, list) for each in value.values())


def _says_more(name: str, value: JsonValue, around: str, url: str) -> bool:
    if name in _TRUE:
        return value is True
    if name in _FALSE:
        return value is False
    if name in _SAID:
        return (isinstance(value, int) and value > 0) or (isinstance(value, str) and value != "")
    if name != "next" or around not in _ABOUT:
        return False
    target = value.get("href") if isinstance(value, dict) else value
    return isinstance(target, str) and bool(target) and _last(target) in ("", _last(url))


def _last(address: str) -> str:
    """The end of a path: of the next page it is that of this one."""
    try:
        return urlsplit(address).path.rstrip("/").rpartition("/")[2]
    except ValueError:
        return address


def _letters(name: str) -> str:
    return re.sub(r"[^a-z]", "", name.lower())
