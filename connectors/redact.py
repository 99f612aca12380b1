"""Takes secrets out of whatever is shown or kept: by their values, in every form they come back in.

A service may quote the secret that it was sent, a library may put it into a message, and either
may encode it first. So every secret that was resolved is learnt with its encodings, and one
automaton looks for all of them at once: a text of a megabyte takes about two milliseconds,
however many secrets there are. Patterns of well-known keys are a second net, for what is said to
people and models alone: a result may rightly hold what looks like one.
"""

import base64
import html
import json
import re
import threading
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

import re2
from pydantic import JsonValue

from connectors.known_keys import HIDDEN, without_known_keys

__all__ = ["HIDDEN", "SHORTEST", "Redactor", "forms_of"]

SHORTEST = 8  # a shorter one occurs by chance in what is not secret
_HIDDEN = HIDDEN.encode()
_LONG_LINE = 20
_MEMORY = 64 << 20


class Redactor:
    """Knows secrets, and writes everything without them."""

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._forms: set[bytes] = set()
        self._finder: re2._Regexp[bytes] | None = None
        self._learning = threading.Lock()

    def learn(self, secret: str) -> None:
        """Hide a secret from now on; one that is too short to be told from other words is not."""
        if secret in self._known or len(_bytes(secret)) < SHORTEST:
            return
        with self._learning:
            forms = self._forms | set(forms_of(secret))
            options = re2.Options()
            options.encoding = re2.Options.Encoding.LATIN1  # byte by byte, whatever it encodes
            options.longest_match = True  # one secret may be the beginning of another
            options.max_mem = _MEMORY
            options.log_errors = False
            self._finder = re2.compile(b"|".join(map(re2.escape, sorted(forms))), options)
            self._forms = forms
            self._known.add(secret)

    def hide_bytes(self, content: bytes) -> bytes:
        """The content without any secret, however it is encoded there."""
        finder = self._finder
        if finder is None or not finder.search(content):
            return content
        hidden: bytes = finder.sub(_HIDDEN, content)
        return hidden

    def hide(self, text: str) -> str:
        """The same for a text."""
        if self._finder is None:
            return text
        content = _bytes(text)
        hidden = self.hide_bytes(content)
        return text if hidden is content else hidden.decode("utf-8", "surrogatepass")

    def hide_in(self, value: JsonValue) -> JsonValue:
        """The same for every text in a value, the names of members too."""
        if self._finder is None:
            return value
        match value:
            case str():
                return self.hide(value)
            case list():
                return [self.hide_in(each) for each in value]
            case dict():
                return {self.hide(name): self.hide_in(each) for name, each in value.items()}
            case _:
                return value

    def told(self, text: str) -> str:
        """What may be said to people and models: also without what looks like a key."""
        return without_known_keys(self.hide(text))


def forms_of(secret: str) -> Iterator[bytes]:
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
