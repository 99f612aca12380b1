"""How the command line says that an approval of a plan is of less than what was shown."""

import re
import time
from math import isfinite

from pydantic import JsonValue

from connectors.spec import JsonObject
from executor.check.strict_json import Flaw, read_json
from gateway.cli.problem import CliError

_COUNT = re.compile(r"[0-9]{1,15}")
_AMOUNT = re.compile(r"([0-9.]+) ?([A-Z]{3})?")


def narrowing(
    bands: list[str],
    calls: list[str],
    without: list[str],
    sums: list[str],
    seconds: float | None,
) -> JsonObject | None:
    """What `narrow` of a decision is, or None where nothing is narrowed."""
    steps: dict[str, JsonObject] = {}
    for text in calls:
        step, count = _split(text, "--calls", "STEP=NUMBER")
        if _COUNT.fullmatch(count) is None:
            raise _wrong("--calls", text, "STEP=NUMBER")
        steps.setdefault(step, {})["calls"] = int(count)
    for text in bands:
        place, what = _split(text, "--band", "STEP/PLACE=WHAT")
        step, _, at = place.partition("/")
        found = steps.setdefault(step, {}).setdefault("bands", {})
        if isinstance(found, dict):
            found[at] = _band(what, text)
    found_sums: JsonObject = {}
    for text in sums:
        amount, currency = _amount(text, "--sum")
        found_sums[currency] = amount
    narrow: JsonObject = {
        "steps": {**steps},
        "without": [*without],
        "sums": found_sums,
    }
    if seconds is not None:
        if not isfinite(seconds):
            raise _wrong("--for", str(seconds), "3600")
        narrow["expires_at"] = time.time() + seconds
    return narrow if any(narrow.values()) else None


def _band(what: str, text: str) -> JsonObject:
    if what == "*":
        return {"any": True}
    if what.startswith("<="):
        amount, currency = _amount(what.removeprefix("<=").strip(), "--band")
        return {"most": amount, "currency": currency}
    value = _value(what, text)
    return {"values": value if isinstance(value, list) else [value]}


def _value(what: str, text: str) -> JsonValue:
    """JSON, read as strictly as the API reads it, or a plain text."""
    try:
        return read_json(what)
    except Flaw as flaw:
        if flaw.code == "malformed-json":
            return what
        raise CliError(flaw.code, flaw.message, f"--band {text}") from flaw


def _amount(text: str, option: str) -> tuple[str, str]:
    found = _AMOUNT.fullmatch(text)
    if found is None:
        raise _wrong(option, text, "50.00 EUR")
    return found[1], found[2] or ""


def _split(text: str, option: str, form: str) -> tuple[str, str]:
    name, sign, rest = text.partition("=")
    if option == "--band" and name.endswith("<"):
        return name.removesuffix("<"), f"<={rest}"
    if not (name and sign):
        raise _wrong(option, text, form)
    return name, rest


def _wrong(option: str, text: str, form: str) -> CliError:
    return CliError("bad-option", f"{text!r} is not of the form {form}", option)
