"""Mail is taken over real SMTP and read over HTTP; its faults are those of a mail server."""

import smtplib
from email.message import EmailMessage
from typing import Any

import pytest
from the_shop import PATIENCE_S, Service, until


def send(
    running: Any, message_id: str, to: str = "a@example.com", timeout_s: float = PATIENCE_S
) -> None:
    message = EmailMessage()
    message["From"] = "shop@example.com"
    message["To"] = to
    message["Subject"] = "Grüße"
    message["Message-ID"] = f"<{message_id}>"
    message.set_content("Your refund is on its way: 18,50 €.\n")
    host, _, port = running.smtp.rpartition(":")
    with smtplib.SMTP(host, int(port), timeout=timeout_s) as client:
        client.send_message(message)


def test_a_mail_is_kept_and_found_by_its_message_id(running: Any, mail: Service) -> None:
    send(running, "one@example.com")

    (found,) = mail.get("/api/email?headers.message-id=one@example.com").json()
    bracketed = mail.get("/api/email?headers.message-id=%3Cone@example.com%3E").json()
    read = mail.get(f"/api/email/{found['id']}").json()

    assert bracketed == [found]
    assert read == found
    assert found["from"] == [{"address": "shop@example.com", "name": ""}]
    assert found["envelope"]["to"] == [{"address": "a@example.com", "name": ""}]
    assert found["subject"] == "Grüße"
    assert found["text"] == "Your refund is on its way: 18,50 €.\n"


def test_the_same_mail_delivered_twice_is_there_twice(running: Any, mail: Service) -> None:
    for _ in range(2):
        send(running, "twice@example.com")

    assert len(mail.get("/api/email?headers.message-id=twice@example.com").json()) == 2
    assert len(mail.ledger("twice@example.com")) == 2


def test_a_mail_to_two_people_is_one_message_of_two(running: Any, mail: Service) -> None:
    send(running, "both@example.com", to="a@example.com, b@example.com")

    (found,) = mail.get("/api/email?headers.message-id=both@example.com").json()
    to_one = mail.get("/api/email?envelope.to.address=b@example.com&sort=desc&limit=1").json()

    told = [each["address"] for each in found["envelope"]["to"]]
    assert told == ["a@example.com", "b@example.com"]
    assert to_one == [found]
    assert len(mail.ledger("both@example.com")) == 2


def test_mail_that_makes_no_sense_is_kept_all_the_same(running: Any, mail: Service) -> None:
    raw = (
        b"Message-ID: <odd@example.com>\r\n"
        b"Content-Type: text/plain; charset=no-such-charset\r\n\r\n\xff\xfe hello\r\n"
    )
    host, _, port = running.smtp.rpartition(":")
    with smtplib.SMTP(host, int(port), timeout=PATIENCE_S) as client:
        client.sendmail("shop@example.com", ["a@example.com"], raw)

    (found,) = mail.get("/api/email?headers.message-id=odd@example.com").json()

    assert "hello" in found["text"]
    assert found["subject"] == ""


def test_a_message_that_is_not_there_is_404(mail: Service) -> None:
    answer = mail.get("/api/email/999999")

    assert answer.status_code == 404
    assert answer.json()["reason"] == "unknown"


@pytest.mark.parametrize(
    ("kind", "code"),
    [("refuse", 550), ("error_500", 451), ("error_503", 451), ("rate_limit", 450)],
)
def test_a_fault_refuses_one_mail_and_the_next_is_taken(
    running: Any, mail: Service, kind: str, code: int
) -> None:
    mail.spoil(kind, "/a@example.com", method="SMTP")

    with pytest.raises(smtplib.SMTPDataError) as refused:
        send(running, f"{kind}@example.com")
    rows = mail.ledger(f"{kind}@example.com")
    send(running, f"{kind}@example.com")

    assert refused.value.smtp_code == code
    assert rows == []
    assert len(mail.ledger(f"{kind}@example.com")) == 1


@pytest.mark.parametrize(("kind", "kept"), [("drop_before", 0), ("drop_after", 1)])
def test_a_dropped_connection_says_nothing_and_the_ledger_knows(
    running: Any, mail: Service, kind: str, kept: int
) -> None:
    mail.spoil(kind, "/a@example.com", method="SMTP")

    with pytest.raises(smtplib.SMTPServerDisconnected):
        send(running, f"{kind}@example.com")

    assert mail.fired() == 1
    assert len(mail.ledger(f"{kind}@example.com")) == kept


@pytest.mark.parametrize(("kind", "kept"), [("hang_before", 0), ("hang_after", 1)])
def test_a_hanging_mail_server_is_silent_for_one_and_serves_the_others(
    running: Any, mail: Service, kind: str, kept: int
) -> None:
    mail.spoil(kind, "/slow@example.com", method="SMTP")

    with pytest.raises((TimeoutError, smtplib.SMTPServerDisconnected)):
        send(running, f"{kind}@example.com", to="slow@example.com", timeout_s=0.4)
    send(running, f"other-{kind}@example.com")

    assert mail.fired() == 1
    assert len(mail.ledger(f"{kind}@example.com")) == kept
    assert len(mail.ledger(f"other-{kind}@example.com")) == 1


def test_garbage_instead_of_a_reply_comes_after_the_mail_was_kept(
    running: Any, mail: Service
) -> None:
    mail.spoil("garbage", "/a@example.com", method="SMTP")

    with pytest.raises(smtplib.SMTPException):
        send(running, "garbage@example.com")

    until(lambda: mail.fired() == 1)
    assert len(mail.ledger("garbage@example.com")) == 1
