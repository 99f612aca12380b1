"""Reads what a person wrote, in files and options, as strictly as the API does."""

import sys
from pathlib import Path

from pydantic import JsonValue

from connectors.spec import JsonObject
from executor.check.strict_json import Flaw, read_json
from gateway.cli.problem import CliError

_LINE_MEMBERS = ("id", "plan", "request", "inputs", "principal")


def read_text(file: Path) -> str:
    """The text of a file; - is standard input; raises `CliError`."""
    try:
        content = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        what = f"this is no UTF-8 text: {error}"
        raise CliError("not-utf-8", what, str(file), "Save it as UTF-8.") from error


def read_value(text: str, where: str) -> JsonValue:
    """A JSON value; raises `CliError`."""
    try:
        return read_json(text)
    except Flaw as flaw:
        raise CliError(
            flaw.code, flaw.message, f"{where} {flaw.at}".strip(), "Write one JSON document."
        ) from flaw


def read_object(text: str, where: str) -> JsonObject:
    """A JSON object; raises `CliError`."""
    found = read_value(text, where)
    if not isinstance(found, dict):
        raise CliError("malformed-json", "this is no object", where, "Write {NAME: VALUE}.")
    return found


def read_plan(file: Path) -> JsonObject:
    """A plan, bare or as it is stored, or with its request and inputs: always as the latter."""
    found = read_value(read_text(file), str(file))
    if not isinstance(found, dict):
        raise CliError("malformed-json", "this is no plan: it is not an object", str(file))
    if "plan" not in found or "language" in found:
        return {"plan": found}
    return {name: found[name] for name in _LINE_MEMBERS if name in found}


def read_answers(texts: list[str]) -> dict[str, str]:
    """Options of the form ABOUT=TEXT; raises `CliError`."""
    pairs = {}
    for each in texts:
        about, _, text = each.partition("=")
        if not about or not text:
            raise CliError("bad-option", f"{each!r} is no answer", fix="Write ABOUT=TEXT.")
        pairs[about] = text
    return pairs
