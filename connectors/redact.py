"""Takes secrets out of whatever is shown or kept: by their values, in every form they come back in.

A service may quote the secret that it was sent, a library may put it into a message, and either
may encode it first. So every secret that was resolved is learnt with its encodings, and one
automaton looks for the beginnings of those of many secrets at once: a text of a megabyte takes
about two milliseconds for each of them. Tokens are renewed for as long as a process lives, so of
what one credential was only the newest are known. Patterns of well-known keys are a second net, for
what is said to people and models alone: a result may rightly hold what looks like one.
"""

import base64
import html
import json
import re
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping
from urllib.parse import quote, quote_plus

import re2
from pydantic import JsonValue

from connectors.known_keys import HIDDEN, without_known_keys

__all__ = ["HIDDEN", "SHORTEST", "Redactor"]

SHORTEST = 8  # a shorter one occurs by chance in what is not secret
_HIDDEN = HIDDEN.encode()
_LONG_LINE = 20
_OF_ONE = 8  # of what one credential was, the newest
_TOGETHER = 32  # secrets that one automaton looks for
_HEAD = 40  # bytes of a form that it looks for; the rest is compared
_MEMORY = 256 << 20  # at most, of one: keys of many lines have thousands of forms

Span = tuple[int, int]


class Redactor:
    """Knows secrets, and writes everything without them."""

    def __init__(self) -> None:
        self._kept: set[str] = set()
        self._of: dict[str, tuple[str, ...]] = {}  # what each credential was, the newest last
        self._forms: dict[str, frozenset[bytes]] = {}  # of all of these
        self._finders: tuple[_Finder, ...] = ()
        self._learning = threading.Lock()

    def learn(self, secret: str, of: str | None = None) -> None:
        """Hide a secret from now on; one that is too short to be told from other words is not.

        Of what the credential `of` this name was, only the newest are hidden.
        """
        before = () if of is None else self._of.get(of, ())
        if secret in self._kept or secret in before[-1:] or len(_bytes(secret)) < SHORTEST:
            return
        with self._learning:
            if of is None:
                self._kept.add(secret)
            else:
                older = (each for each in self._of.get(of, ()) if each != secret)
                self._of[of] = (*older, secret)[-_OF_ONE:]
            self._look_for({*self._kept, *(each for some in self._of.values() for each in some)})

    def _look_for(self, wanted: Collection[str]) -> None:
        """Build anew only what looks for what is new, or for what is not wanted any more."""
        known = self._forms
        self._forms = {each: known.get(each) or frozenset(_forms_of(each)) for each in wanted}
        good = [each for each in self._finders if each.secrets.issubset(wanted)]
        if good and len(good[-1].secrets) < _TOGETHER:
            good.pop()
        rest = sorted(set(wanted).difference(*(each.secrets for each in good)))
        batches = (rest[at : at + _TOGETHER] for at in range(0, len(rest), _TOGETHER))
        new = (_Finder({each: self._forms[each] for each in batch}) for batch in batches)
        self._finders = (*good, *new)

    def hide_bytes(self, content: bytes) -> bytes:
        """The content without any secret, however it is encoded there."""
        spans = sorted(span for each in self._finders for span in each.spans(content))
        if not spans:
            return content
        kept, at = [], 0
        for start, end in _joined(spans):
            kept += [content[at:start], _HIDDEN]
            at = end
        return b"".join([*kept, content[at:]])

    def hide(self, text: str) -> str:
        """The same for a text."""
        if not self._finders:
            return text
        content = _bytes(text)
        hidden = self.hide_bytes(content)
        return text if hidden is content else hidden.decode("utf-8", "surrogatepass")

    def hide_in(self, value: JsonValue) -> JsonValue:
        """The same for every text in a value, the names of members too.

        An answer may be ten thousand texts, and hardly one holds a secret: a look at all together
        is a small part of what a look at each of them takes.
        """
        if not self._finders:
            return value
        together = _bytes("\0".join(_texts_of(value)))
        return value if self.hide_bytes(together) is together else self._each_hidden(value)

    def _each_hidden(self, value: JsonValue) -> JsonValue:
        match value:
            case str():
                return self.hide(value)
            case list():
                return [self._each_hidden(each) for each in value]
            case dict():
                return {self.hide(name): self._each_hidden(each) for name, each in value.items()}
            case _:
                return value

    def told(self, text: str) -> str:
        """What may be said to people and models: also without what looks like a key."""
        return without_known_keys(self.hide(text))


class _Finder:
    """Finds every form of some secrets."""

    def __init__(self, forms_of: Mapping[str, Collection[bytes]]) -> None:
        self.secrets = frozenset(forms_of)
        self._forms: dict[bytes, list[bytes]] = {}  # by their beginnings, the longest first
        forms = {form for each in forms_of.values() for form in each}
        for form in sorted(forms, key=len, reverse=True):
            self._forms.setdefault(form[:_HEAD], []).append(form)
        self._lengths = sorted({len(head) for head in self._forms}, reverse=True)
        options = re2.Options()
        options.encoding = re2.Options.Encoding.LATIN1  # byte by byte, whatever it encodes
        options.max_mem = _MEMORY
        options.log_errors = False
        # Not by `re2.compile`, which keeps the last hundred, each of them megabytes.
        self._heads = re2._Regexp(b"|".join(map(re2.escape, sorted(self._forms))), options)

    def spans(self, content: bytes) -> Iterator[Span]:
        """Where they are; one may begin inside another."""
        found = self._heads.search(content)
        while found is not None:
            at = found.start()
            if (end := self._end(content, at)) is not None:
                yield at, end
            found = self._heads.search(content, at + 1)

    def _end(self, content: bytes, at: int) -> int | None:
        """Where the longest form ends that begins at a place."""
        ends = (
            at + len(form)
            for length in self._lengths
            for form in self._forms.get(content[at : at + length], ())
            if content.startswith(form, at)
        )
        return max(ends, default=None)


def _texts_of(value: JsonValue) -> list[str]:
    """Every text in a value, the names of members too, in any order."""
    texts, left = list[str](), [value]
    for each in left:  # it grows meanwhile
        if isinstance(each, str):
            texts.append(each)
        elif isinstance(each, dict):
            texts += each
            left += each.values()
        elif isinstance(each, list):
            left += each
    return texts


def _joined(spans: Iterable[Span]) -> Iterator[Span]:
    """Those that overlap as one; they come in order."""
    begun: Span | None = None
    for start, end in spans:
        if begun is None or start >= begun[1]:
            if begun is not None:
                yield begun
            begun = (start, end)
        else:
            begun = (begun[0], max(begun[1], end))
    if begun is not None:
        yield begun


def _forms_of(secret: str) -> Iterator[bytes]:
    """Every form in which a secret is looked for; a key of many lines also line by line."""
    lines = [each.strip() for each in secret.splitlines()]
    long = [each for each in lines if len(each) >= _LONG_LINE]
    for part in {secret, *(long if len(lines) > 1 else ())}:
        plain = _bytes(part)
        once = {part, *_escaped(part)}
        # A message quotes an answer, and a log quotes the message.
        twice = {again for each in once for again in (*_in_json(each), *_in_python(each))}
        yield from (_bytes(each) for each in once | twice)
        yield from _percent(part, plain)
        yield plain.hex().encode()
        yield plain.hex().upper().encode()
        yield from _base64(plain)


def _escaped(part: str) -> Iterator[str]:
    """As JSON, programs and HTML quote it, and with nothing but escapes."""
    yield from _in_json(part)
    yield from _in_python(part)
    yield html.escape(part)
    yield html.escape(part, quote=False)
    units = part.encode("utf-16-be", "surrogatepass").hex()
    escapes = "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))
    yield escapes
    yield "\\u".join(each.upper() for each in escapes.split("\\u"))


def _in_json(text: str) -> Iterator[str]:
    for written in (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]):
        yield written
        yield written.replace("/", "\\/")


def _in_python(text: str) -> Iterator[str]:
    """What is around it decides which quotes are escaped."""
    for written in (text.replace("\\", "\\\\"), repr(text)[1:-1], repr(_bytes(text))[2:-1]):
        bare = written.replace("\\'", "'")
        yield bare
        yield bare.replace("'", "\\'")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _percent(part: str, plain: bytes) -> Iterator[bytes]:
    """As addresses and forms quote it, with either case of digits."""
    for written in (quote(plain, safe=""), quote(plain), quote_plus(plain), _every_byte(plain)):
        yield written.encode()
        yield re.sub("%..", lambda found: found[0].lower(), written).encode()


def _every_byte(plain: bytes) -> str:
    return "".join(f"%{each:02X}" for each in plain)


def _base64(plain: bytes) -> Iterator[bytes]:
    """Alone, and inside a longer text: what stands before it shifts it by up to two bytes."""
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + plain)
        sure = encoded[(0, 2, 3)[before] : (before + len(plain)) * 8 // 6]
        for each in {sure, *([encoded.rstrip(b"=")] if before == 0 else [])}:
            yield each
            yield each.replace(b"+", b"-").replace(b"/", b"_")
