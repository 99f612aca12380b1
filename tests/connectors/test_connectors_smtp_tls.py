"""Mail over TLS, signed in: a password is said to nobody but the server of that certificate."""

import asyncio
import base64
import contextlib
import datetime
import ipaddress
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from connector_cases import NO_TLS, Outside, end_of, listening, registry_of
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from connectors.connector import Applied, Outcome
from connectors.errors import ConfigurationError, ConnectorError, Kind, Refused, Unavailable
from connectors.factories import ConnectionSettings
from connectors.http import Transport
from connectors.spec import JsonObject

PASSWORD = "a-password-of-nobody"
MAIL: JsonObject = {"to": ["ann@example.com"], "subject": "Hello", "text": "There"}


@dataclass(frozen=True)
class Certificate:
    """A certificate that vouches for itself, and its key."""

    file: Path
    context: ssl.SSLContext


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return made(tmp_path_factory.mktemp("tls"))


def made(folder: Path) -> Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail")])
    now = datetime.datetime.now(datetime.UTC)
    own = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    built = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(own, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file, private = folder / "mail.pem", folder / "mail.key"
    file.write_bytes(built.public_bytes(pem))
    private.write_bytes(secret)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, private)
    return Certificate(file, context)


@dataclass
class Office:
    """A real mail server that takes mail only of whom it knows, over TLS."""

    port: int = 0
    tried: list[bytes] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)
    refuses: str | None = None

    async def handle_DATA(  # noqa: N802 - the server's name for it
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        if not session.authenticated:
            return "530 sign in first"
        self.taken += envelope.rcpt_tos
        return "250 kept"

    def knows(
        self, server: object, session: object, envelope: object, mechanism: str, said: LoginPassword
    ) -> AuthResult:
        self.tried.append(said.password)
        known = said == LoginPassword(b"lamgate", PASSWORD.encode())
        return AuthResult(success=known, handled=False, message=self.refuses)


@asynccontextmanager
async def office(certificate: Certificate, security: str) -> AsyncIterator[Office]:
    found = Office()
    loop = asyncio.get_running_loop()

    def connection() -> SMTP:
        return SMTP(
            found,
            loop=loop,
            tls_context=certificate.context if security == "starttls" else None,
            require_starttls=security == "starttls",
            auth_required=security == "starttls",
            auth_require_tls=security == "starttls",
            authenticator=found.knows,
        )

    tls = certificate.context if security == "implicit" else None
    server = await loop.create_server(connection, "127.0.0.1", 0, ssl=tls)
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        server.close()


def settings(port: int, security: str, ca: Path | None) -> ConnectionSettings:
    options: JsonObject = {
        "server": f"127.0.0.1:{port}",
        "sender": "shop@example.com",
        "security": security,
        "user": "lamgate",
        **({} if ca is None else {"ca": str(ca)}),
    }
    return ConnectionSettings("mail", "smtp", credential="env:MAIL", options=options)


async def sent(
    port: int, security: str, ca: Path | None, outside: Outside, password: str = PASSWORD
) -> Outcome | ConnectorError:
    registry = registry_of(
        outside.to(f"127.0.0.1:{port}"), settings(port, security, ca), MAIL=password
    )
    action = (await registry.load()).get("mail.message_send")
    assert action is not None
    return await end_of(registry, action, MAIL, seconds=5.0)


@pytest.mark.parametrize("before", [200, 270, 285, 295])
async def test_a_server_that_quotes_the_password_says_no_part_of_it(
    before: int, certificate: Certificate, outside: Outside
) -> None:
    said = base64.b64encode(f"\0lamgate\0{PASSWORD}!".encode()).decode()
    async with office(certificate, "implicit") as found:
        for quoted in (f"{PASSWORD}!", said):
            found.refuses = f"535 {'x' * before}{quoted}"
            end = await sent(found.port, "implicit", certificate.file, outside, f"{PASSWORD}!")

            assert isinstance(end, Refused)
            assert quoted[12:16] not in end.message


@pytest.mark.parametrize("security", ["starttls", "implicit"])
async def test_a_mail_is_taken_of_whom_the_server_knows(
    security: str, certificate: Certificate, outside: Outside
) -> None:
    async with office(certificate, security) as found:
        right = await sent(found.port, security, certificate.file, outside)
        wrong = await sent(found.port, security, certificate.file, outside, "another-password")

    assert isinstance(right, Applied)
    assert isinstance(wrong, Refused)
    assert (wrong.kind, wrong.vendor_code) == (Kind.AUTH, "535")
    assert found.taken == ["ann@example.com"]


@pytest.mark.parametrize("security", ["starttls", "implicit"])
async def test_a_server_of_another_certificate_hears_no_password(
    security: str, certificate: Certificate, tmp_path: Path, outside: Outside
) -> None:
    other = made(tmp_path)
    async with office(certificate, security) as found:
        unknown = await sent(found.port, security, None, outside)
        another = await sent(found.port, security, other.file, outside)

    assert isinstance(unknown, Unavailable)
    assert isinstance(another, Unavailable)
    assert found.tried == []


@pytest.mark.parametrize(
    "said",
    [b"220 go on\r\n250 an answer that was put in\r\n", b"502 no TLS here\r\n", b"\r\n"],
)
async def test_a_server_that_does_not_go_on_over_tls_alone_hears_no_password(
    said: bytes, certificate: Certificate, outside: Outside
) -> None:
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            writer.write(b"220 hi\r\n")
            while line := await reader.readline():
                heard.append(line)
                writer.write(said if line == b"STARTTLS\r\n" else b"250 ok\r\n")
        writer.close()

    async with listening(serve) as port:
        end = await sent(port, "starttls", certificate.file, outside)

    assert isinstance(end, Refused | Unavailable)
    assert not any(b"AUTH" in line for line in heard)


@pytest.mark.parametrize(
    ("spoiled", "told"),
    [
        ({"security": "none"}, "over TLS alone"),
        ({"user": ""}, "user and credential go together"),
        ({"security": "sometimes"}, r"connections\.mail\.security"),
        ({"ca": "no-such-file.pem"}, r"connections\.mail\.ca"),
    ],
)
def test_a_password_that_could_be_overheard_is_refused(spoiled: JsonObject, told: str) -> None:
    usual = settings(25, "starttls", None)
    wrong = ConnectionSettings(
        "mail", "smtp", credential="env:MAIL", options={**usual.options, **spoiled}
    )

    with pytest.raises(ConfigurationError, match=told):
        registry_of(Transport(tls=NO_TLS), wrong, MAIL=PASSWORD)
