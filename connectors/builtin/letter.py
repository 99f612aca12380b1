"""Writes a mail as it goes over SMTP: the same call gives the same bytes but for the date."""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from email.errors import HeaderParseError, MessageError
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate

from pydantic import JsonValue

from connectors.errors import Kind, Refused

_NOT_PLAIN = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]|=\?.*\?=", re.DOTALL)


def recipients_of(arguments: Mapping[str, JsonValue]) -> tuple[str, ...]:
    """Everybody that a mail goes to, each once, in order."""
    found = [each for name in ("to", "cc", "bcc") for each in _texts(arguments.get(name))]
    return tuple(sorted(dict.fromkeys(found)))


def letter(arguments: Mapping[str, JsonValue], sender: str, message_id: str) -> bytes:
    """The message with its headers; raises `Refused` for one that cannot be written."""
    message = EmailMessage(policy=SMTP)
    _check_is_plain(arguments, message_id)
    try:
        _write(message, arguments, sender, message_id)
        content = message.as_bytes()
    except (ValueError, LookupError, HeaderParseError, MessageError) as error:
        told = f"no such mail can be written: {type(error).__name__}"
        raise Refused(told, kind=Kind.INVALID) from error
    for header in ("To", "Cc"):
        written = (
            [each.addr_spec for each in message[header].addresses] if header in message else []
        )
        if written != _texts(arguments.get(header.lower())):
            raise Refused(f"{header} is not a list of addresses", kind=Kind.INVALID)
    for each in recipients_of(arguments):
        if not _is_plain(each):
            raise Refused(f"{each[:200]!r} is not one address", kind=Kind.INVALID)
    return content


def _check_is_plain(arguments: Mapping[str, JsonValue], message_id: str) -> None:
    """Raise `Refused` for what a header would be read as something else of, even as more headers.

    The library itself reads encoded words (RFC 2047) in what it is given, and writes what they say,
    line ends too; and whoever gets the mail reads them.
    """
    said = [arguments.get("subject"), arguments.get("thread_id"), message_id]
    said += [*recipients_of(arguments), *(each.filename for each in files_of(arguments))]
    if any(_NOT_PLAIN.search(str(each)) for each in said):
        told = "a header has no line end or control character in it, and no encoded word (=?…?=)"
        raise Refused(told, kind=Kind.INVALID)


def _write(
    message: EmailMessage, arguments: Mapping[str, JsonValue], sender: str, message_id: str
) -> None:
    message["From"] = sender
    message["To"] = ", ".join(_texts(arguments["to"]))
    if arguments.get("cc"):
        message["Cc"] = ", ".join(_texts(arguments["cc"]))
    message["Subject"] = str(arguments["subject"])
    message["Date"] = formatdate()
    message["Message-ID"] = f"<{message_id}>"
    if arguments.get("thread_id"):
        message["In-Reply-To"] = message["References"] = f"<{arguments['thread_id']}>"
    message.set_content(str(arguments["text"]))
    if arguments.get("html"):
        message.add_alternative(str(arguments["html"]), subtype="html")
    for each in files_of(arguments):
        main, _, sub = each.content_type.partition("/")
        message.add_attachment(each.content, maintype=main, subtype=sub, filename=each.filename)
    for number, part in enumerate(each for each in message.walk() if each.is_multipart()):
        # Of its own random ones the library makes sure that no line is one; ours nobody can guess.
        part.set_boundary(f"{number}-{message_id.partition('@')[0]}")


class File:
    """One attachment."""

    def __init__(self, said: Mapping[str, JsonValue]) -> None:
        self.filename = str(said["filename"])
        self.content_type = str(said["content_type"])
        self.base64 = str(said["base64"])
        try:
            self.content = base64.b64decode(self.base64, validate=True)
        except binascii.Error as error:
            told = f"{self.filename!r} is not base64"
            raise Refused(told, kind=Kind.INVALID) from error


def files_of(arguments: Mapping[str, JsonValue]) -> Sequence[File]:
    """The attachments; raises `Refused` for one that is not what it says."""
    said = arguments.get("attachments")
    return [File(each) for each in said if isinstance(each, dict)] if isinstance(said, list) else []


def _texts(value: JsonValue) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else []


def _is_plain(address: str) -> bool:
    """Whether an address can be said in a command as it stands."""
    return all("!" <= character <= "~" and character not in "<>" for character in address)
