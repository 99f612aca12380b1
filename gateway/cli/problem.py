"""What the command line says when it cannot do what was asked: code, what, where, what to do.

Exit codes: 0 done, 1 the answer is no, 2 unusable input, 3 somebody has to act first,
70 a mistake of ours.
"""

import os
import re
import sys
import traceback
from dataclasses import dataclass

from pydantic import JsonValue
from typer import Abort, TyperException

from connectors.spec import JsonObject

NO, UNUSABLE, WAITS, INTERNAL = 1, 2, 3, 70
TRACEBACK = "LAMGATE_TRACEBACK"
NO_TEXT = "what was said holds bytes that are no text"
_WORDS = tuple(
    (re.compile(said), meant)
    for said, meant in (
        (r"/query/([a-z]+)", r"--\1"),
        (r"GET /v1/connections/([a-z0-9_-]+)", r"`lamgate connections show \1`"),
        (r"GET /v1/(connections|actions)\b", r"`lamgate \1`"),
        (r"/openapi\.json( for the members)?", "what --help says of this word"),
        (r"/v1/runs/(run_[a-z0-9]+)/trace", r"`lamgate trace \1`"),
        (r"/narrow/steps/([^/]+)/calls", r"--calls \1"),
        (r"/narrow/steps/([^/]+)/bands/?", r"--band \1/"),
        (r"/narrow/steps", "--calls, --band or --without"),
        (r"/narrow/without", "--without"),
        (r"/narrow/sums/?", "--sum "),
        (r"/narrow/expires_at", "--for"),
    )
)


@dataclass
class CliError(Exception):
    """Something that a person has to be told; `document` is what `--json` prints of it."""

    code: str
    what: str
    where: str = ""
    fix: str = ""
    exit_code: int = UNUSABLE
    document: JsonValue = None
    in_stream: bool = False  # standard output holds one document a line: add none

    def __post_init__(self) -> None:
        super().__init__(self.what)

    def as_json(self) -> JsonValue:
        """The error as one document."""
        if self.document is not None:
            return self.document
        told: JsonObject = {"code": self.code, "detail": self.what}
        told |= {"at": self.where} if self.where else {}
        return told | ({"fix": self.fix} if self.fix else {})

    def as_text(self) -> str:
        """The error as lines; the violations of a refused plan each with their own."""
        lines = [self.code, *_lines(self.what, self.where, self.fix, "  ")]
        found = violations_of(self.document)
        if [each.get("code") for each in found] == [self.code]:
            return "\n".join(lines)  # it is what was just said
        for each in found:
            lines += [f"  {each.get('code')}", *violation_lines(each, "    ")]
        return "\n".join(lines)


def violations_of(document: JsonValue) -> list[JsonObject]:
    """The violations that a problem, a request or a verdict carries."""
    found = document.get("violations") if isinstance(document, dict) else None
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def violation_lines(violation: JsonObject, indent: str) -> list[str]:
    """What was wrong, where, and what to do."""
    step = violation.get("step")
    where = f"{violation.get('at')}" + (f" (step {step})" if step else "")
    lines = _lines(str(violation.get("message")), where, str(violation.get("fix") or ""), indent)
    candidates = violation.get("candidates")
    if isinstance(candidates, list) and candidates:
        lines.append(f"{indent}known: {', '.join(map(str, candidates))}")
    return lines


def of_http(document: JsonObject, status: int) -> CliError:
    """A problem that the gateway answered with (RFC 9457)."""
    code = str(document.get("code", status))
    return CliError(
        code=code,
        what=_as_words(str(document.get("detail", "the gateway refused"))),
        where=_as_words(str(document.get("at", ""))),
        fix=_as_words(str(document.get("fix", ""))),
        exit_code=_exit_code(code, status),
        document=document,
    )


def of_exception(error: Exception) -> CliError:
    """Whatever was raised, in the words of the API's own table."""
    if isinstance(error, CliError):
        return error
    from executor.check.bulk import UnusableInputError
    from executor.store.errors import StoreUnavailableError
    from gateway.problems import problem_of

    match error:
        case TyperException():
            return CliError("bad-option", error.format_message(), fix=_usage(error))
        case Abort():
            return CliError("nobody-answers", "what was asked for was not said", exit_code=NO)
        case UnicodeEncodeError():
            return CliError("not-utf-8", NO_TEXT, fix="Say it in UTF-8.")
        case UnusableInputError():
            return CliError("unusable-input", str(error), fix="Repair what is named.")
        case StoreUnavailableError(said=said) if said:
            fix = "Look at database.url, and whether its server runs and lets this account in."
            return CliError("storage-unavailable", f"no database is had: {said}", "", fix)
        case OSError():
            what, where = error.strerror or str(error), str(error.filename or "")
            return CliError("file-system", what, where, "Look at the path, and at who may use it.")
    problem = problem_of(error)
    if problem.code != "internal":
        at = problem.more.get("at")
        return CliError(problem.code, problem.detail, str(at or ""), problem.fix)
    last = traceback.extract_tb(error.__traceback__)[-1:]
    where = ", ".join(f"{frame.filename}:{frame.lineno}" for frame in last)
    fix = f"This is a mistake of ours; {TRACEBACK}=1 shows all of it, to be reported."
    return CliError("internal", f"{type(error).__name__}: {error}", where, fix, INTERNAL)


def has_shown_help(error: Exception) -> bool:
    """Whether it only says that a word was said without any more, and its help was shown."""
    return isinstance(error, TyperException) and not error.format_message()


def _usage(error: TyperException) -> str:
    context = getattr(error, "ctx", None)
    usage = "" if context is None else " ".join(context.get_usage().split()) + "; "
    return f"{usage}see what --help says of this word."


def tell(error: CliError, cause: Exception, *, as_json: bool) -> int:
    """Print an error and return the exit code."""
    from gateway.cli.show import complain, print_json

    if os.environ.get(TRACEBACK):
        traceback.print_exception(cause, file=sys.stderr)
    if as_json and not error.in_stream:
        print_json(error.as_json())
    complain(error.as_text())
    return error.exit_code


def _lines(what: str, where: str, fix: str, indent: str) -> list[str]:
    told = (("what: ", what), ("where:", where), ("fix:  ", fix))
    under = f"\n{indent}       "  # what has several lines has them below each other
    return [f"{indent}{name} {text.replace(chr(10), under)}" for name, text in told if text]


def _as_words(text: str) -> str:
    """What the API says of its calls and parameters, said of commands and options."""
    for said, meant in _WORDS:
        text = said.sub(meant, text)
    return text


def _exit_code(code: str, status: int) -> int:
    """A no is an answer to input that was understood."""
    if code in ("plan-rejected", "plan-not-runnable") or status in (403, 409, 410, 429):
        return NO
    return NO if status >= 500 else UNUSABLE
