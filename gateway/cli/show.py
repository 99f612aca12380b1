"""How the command line writes: wrapped text for people, one JSON document for programs."""

import json
import shlex
import shutil
import sys
import textwrap
from datetime import UTC, datetime
from pathlib import Path

from pydantic import JsonValue
from rich.console import Console

from connectors.spec import JsonObject

WIDEST = 100
MOST_WORDS = 120  # characters of what was asked, where many are listed


def _width() -> int:
    return min(WIDEST, shutil.get_terminal_size((WIDEST, 24)).columns)


# Nothing of a text is taken for a colour or a name of a picture: it is shown as it is.
out = Console(highlight=False, emoji=False, soft_wrap=True, width=_width())
err = Console(highlight=False, emoji=False, soft_wrap=True, width=_width(), stderr=True)


def print_json(value: JsonValue) -> None:
    """Print one JSON document and nothing else."""
    sys.stdout.write(_escaped(json.dumps(value, indent=2, ensure_ascii=not _is_utf8())) + "\n")
    sys.stdout.flush()


def print_json_line(value: JsonValue) -> None:
    """Print one document on one line, of many."""
    sys.stdout.write(_escaped(json.dumps(value, ensure_ascii=not _is_utf8())) + "\n")


def divert() -> None:
    """Have what is told go to standard error: standard output is for one JSON document."""
    out.file = sys.stderr


def say(text: str = "", *, style: str | None = None) -> None:
    """Print text for people: wrapped, and without anything that could drive a terminal."""
    for line in text.split("\n"):
        out.print(wrapped(clean(line), out.width), markup=False, style=style)


def say_row(row: JsonObject, standing: str, words: str) -> None:
    """Print a request or a run of a list: when it came, how it stands, who asked for what."""
    came = datetime.fromtimestamp(float(str(row["created_at"])), UTC)
    say(f"{row['id']}  {came:%Y-%m-%d %H:%M}Z  {standing}")
    say(f"    {row['requester']}: {textwrap.shorten(words, MOST_WORDS)}")


def say_as_is(text: str) -> None:
    """Print what is to be copied: a command or an address stays in one piece."""
    out.print(clean(text), markup=False)


def command(*words: str) -> str:
    """A command of this program as whoever reads it can copy it, however it was called."""
    called = sys.argv[0]
    program = [called] if Path(called).name == "lamgate" else [sys.executable, "-m", "gateway"]
    return shlex.join([*program, *words])


def complain(text: str) -> None:
    """Print text for people to standard error."""
    for line in text.split("\n"):
        err.print(wrapped(clean(line), err.width), markup=False)


def clean(text: str) -> str:
    """Take out control characters: what a service says must not drive a terminal."""
    return "".join(char for char in text if char.isprintable() or char in "\n\t")


def wrapped(line: str, width: int) -> str:
    """Break a long line between words, the rest under its beginning; words stay whole."""
    if len(line) <= width:
        return line
    indent = " " * min(len(line) - len(line.lstrip()) + 4, width // 2)
    return "\n".join(
        textwrap.wrap(
            line,
            width,
            subsequent_indent=indent,
            drop_whitespace=True,
            break_long_words=False,
            break_on_hyphens=False,
        )
    )


def plan_text(shown: JsonObject) -> str:
    """A plan as people read it, with what its certificate says of each step."""
    certificate = shown.get("certificate")
    steps = certificate.get("steps") if isinstance(certificate, dict) else None
    standing = {
        str(each["step"]): _standing(each)
        for each in (steps if isinstance(steps, list) else [])
        if isinstance(each, dict)
    }
    lines = []
    for line in str(shown.get("rendered", "")).splitlines():
        lines.append(f"  {line}")
        if told := standing.get(line.partition(" = ")[0]):
            lines.append(f"      {told}")
    return "\n".join([*lines, f"  digest {shown.get('digest')}"])


def given(thing: JsonObject, name: str) -> list[JsonValue]:
    """A list that an answer holds, or an empty one."""
    found = thing.get(name)
    return found if isinstance(found, list) else []


def _standing(decision: JsonObject) -> str:
    text = f"{str(decision['standing']).replace('_', ' ')} ({decision['effect']})"
    approval = decision.get("approval")
    if isinstance(approval, dict):
        text += f", by {approval['role']}: {'; '.join(map(str, given(approval, 'reasons')))}"
    guards = [each for each in given(decision, "guards") if isinstance(each, dict)]
    typed = [str(each["at"]).lstrip("/") or "all" for each in guards if each["kind"] == "type"]
    whys = [f"{', '.join(typed)}: the type is checked on the real value"] if typed else []
    whys += [str(each["why"]) for each in guards if each["kind"] != "type"]
    if decision.get("note"):
        whys.append(str(decision["note"]))
    if decision.get("observed"):
        whys.append(f"policy only observes; it would have said: {decision['observed']}")
    return f"{text}; {'; '.join(dict.fromkeys(whys))}" if whys else text


def _escaped(text: str) -> str:
    """The same JSON with what does not print as escapes: people read it on a terminal, too."""
    if all(line.isprintable() for line in text.split("\n")):
        return text
    return "".join(
        char if char.isprintable() or char == "\n" else json.dumps(char)[1:-1] for char in text
    )


def _is_utf8() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
