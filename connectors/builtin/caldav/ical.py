"""Reads and writes iCalendar (RFC 5545), strictly and no more of it than events need.

A calendar is a tree of components with lines in them. What is not understood stays as it came, so
that a change of one line changes nothing else.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_NAME = r"[A-Za-z0-9-]+"
_VALUE = r'(?:"[^"\x00-\x1f]*"|[^";:,\x00-\x1f]*)'
# So many of each as no event has: a line of millions of them takes seconds.
_PARAMETER = rf";({_NAME})=({_VALUE}(?:,{_VALUE}){{0,1000}})"
_LINE = re.compile(rf"({_NAME})((?:{_PARAMETER}){{0,100}}):(.*)", re.DOTALL)
_EACH = re.compile(_PARAMETER)
_LONGEST = 75  # octets of a line; longer ones are folded
_MOST_DEEP = 4
_MOST_LINES = 50_000


@dataclass(frozen=True)
class Line:
    """One content line; parameters by their names in capitals, values as they stand."""

    name: str
    value: str
    parameters: tuple[tuple[str, str], ...] = ()

    def parameter(self, name: str) -> str | None:
        """The value of a parameter, without its quotation marks."""
        return next((value.strip('"') for each, value in self.parameters if each == name), None)


@dataclass(frozen=True)
class Component:
    """`BEGIN:NAME` to `END:NAME`."""

    name: str
    lines: tuple[Line, ...] = ()
    parts: tuple["Component", ...] = field(default=())

    def first(self, name: str) -> Line | None:
        """The first line of this name."""
        return next((each for each in self.lines if each.name == name), None)

    def with_lines(self, name: str, lines: Sequence[Line]) -> "Component":
        """The same with these in the place of all lines of a name."""
        kept = [each for each in self.lines if each.name != name]
        return replace(self, lines=(*kept, *lines))


def read_calendar(text: str) -> Component:
    """A `VCALENDAR`; raises `ValueError` for what is none."""
    if text.count("\n") > _MOST_LINES:
        raise ValueError("the calendar has too many lines")
    lines = [_line(each) for each in _unfolded(text) if each]
    if not lines or (lines[0].name, lines[0].value.upper()) != ("BEGIN", "VCALENDAR"):
        raise ValueError("this is no calendar")
    found, end = _component(lines, 1, "VCALENDAR", 1)
    if end != len(lines):
        raise ValueError("there is something after the calendar")
    return found


def write(component: Component) -> str:
    """The same as text, folded."""
    return "".join(f"{_folded(each)}\r\n" for each in _written(component))


def event_of(calendar: Component) -> Component:
    """The event itself, and not one of its exceptions; raises `ValueError` where there is none.

    Who was asked to one day of somebody else's series has that day alone.
    """
    events = [each for each in calendar.parts if each.name == "VEVENT"]
    if not events:
        raise ValueError("there is no event in it")
    return next((each for each in events if each.first("RECURRENCE-ID") is None), events[0])


def with_event(calendar: Component, event: Component) -> Component:
    """The calendar with another event in the place of its own."""
    own = event_of(calendar)
    return replace(calendar, parts=tuple(event if each is own else each for each in calendar.parts))


def escaped(text: str) -> str:
    """A text as a value of a line."""
    plain = text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    return plain.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\\n")


def plain(value: str) -> str:
    """The text in a value of a line."""
    # A backslash that is itself escaped escapes nothing.
    return "\\".join(
        part.replace("\\n", "\n").replace("\\N", "\n").replace("\\;", ";").replace("\\,", ",")
        for part in value.split("\\\\")
    )


def moment_line(name: str, text: str, like: Line | None = None) -> Line:
    """A moment in the time zone of another line, or in UTC where that can't say it.

    Raises `ValueError` for one without an offset, or of no calendar.
    """
    zone = None if like is None or is_day(like) else like.parameter("TZID")
    info = None if zone is None else zone_of(zone)
    in_its_zone = None if info is None else _in_zone(_moment(text), info)
    if like is None or in_its_zone is None:
        return Line(name, in_utc(text))
    return Line(name, in_its_zone, tuple(each for each in like.parameters if each[0] == "TZID"))


def in_utc(text: str) -> str:
    """A moment as iCalendar has it; raises the same."""
    try:
        return utc(_moment(text))
    except OverflowError as error:
        raise ValueError(f"{text} is in no calendar of UTC") from error


def zone_of(name: str) -> ZoneInfo | None:
    """The time zone of this name, or None where nobody here knows it."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def date_line(name: str, text: str) -> Line:
    """A whole day."""
    day = date.fromisoformat(text)
    return Line(name, f"{day.year:04}{day:%m%d}", (("VALUE", "DATE"),))


def utc(moment: datetime) -> str:
    """A moment as iCalendar has it."""
    found = moment.astimezone(UTC)
    return f"{found.year:04}{found:%m%dT%H%M%SZ}"


def is_day(line: Line) -> bool:
    """Whether a line says a whole day."""
    return line.parameter("VALUE") == "DATE"


def told_date(line: Line) -> str:
    """The day of a line; raises `ValueError`."""
    return datetime.strptime(line.value, "%Y%m%d").date().isoformat()


def told_moment(line: Line) -> str | None:
    """The moment of a line, or None where nobody here knows its time zone; raises `ValueError`."""
    if line.value.endswith("Z"):
        found = datetime.strptime(line.value, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        return found.isoformat()
    zone = line.parameter("TZID")
    info = None if zone is None else zone_of(zone)
    if info is None:
        return None  # whatever time it is where somebody looks at it
    return datetime.strptime(line.value, "%Y%m%dT%H%M%S").replace(tzinfo=info).isoformat()


def _moment(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError(f"{text} does not say its offset from UTC")
    return found


def _in_zone(moment: datetime, zone: ZoneInfo) -> str | None:
    """A moment in the time of a zone; None for the second of an hour that is there twice."""
    try:
        local = moment.astimezone(zone)
        is_said = local.replace(fold=0).astimezone(UTC) == moment.astimezone(UTC)
    except OverflowError:
        return None
    return f"{local.year:04}{local:%m%dT%H%M%S}" if is_said else None


def _unfolded(text: str) -> list[str]:
    return re.sub(r"\r?\n[ \t]", "", text).replace("\r\n", "\n").split("\n")


def _line(text: str) -> Line:
    found = _LINE.fullmatch(text)
    if found is None:
        raise ValueError("a line is no content line")
    parameters = tuple((each[1].upper(), each[2]) for each in _EACH.finditer(found[2]))
    return Line(found[1].upper(), found[5], parameters)


def _component(lines: Sequence[Line], at: int, name: str, depth: int) -> tuple[Component, int]:
    own: list[Line] = []
    parts: list[Component] = []
    while at < len(lines):
        line = lines[at]
        if line.name == "END":
            if line.value.upper() != name:
                break
            return Component(name, tuple(own), tuple(parts)), at + 1
        if line.name == "BEGIN":
            if depth >= _MOST_DEEP:
                raise ValueError("components are nested too deeply")
            part, at = _component(lines, at + 1, line.value.upper(), depth + 1)
            parts.append(part)
            continue
        own.append(line)
        at += 1
    raise ValueError(f"{name} has no end")


def _written(component: Component) -> Iterator[str]:
    yield f"BEGIN:{component.name}"
    for line in component.lines:
        parameters = "".join(f";{name}={value}" for name, value in line.parameters)
        yield f"{line.name}{parameters}:{line.value}"
    for part in component.parts:
        yield from _written(part)
    yield f"END:{component.name}"


def _folded(line: str) -> str:
    """A line in pieces of at most 75 octets, none of which ends inside a character."""
    octets, pieces, begin = line.encode(), list[bytes](), 0
    while len(octets) - begin > (room := _LONGEST - bool(pieces)):
        end = begin + room
        while octets[end] & 0xC0 == 0x80:
            end -= 1
        pieces.append(octets[begin:end])
        begin = end
    return b"\r\n ".join([*pieces, octets[begin:]]).decode()
