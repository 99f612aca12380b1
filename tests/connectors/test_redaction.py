"""Whatever form a secret comes back in, it is found; what is no secret is left alone."""

import base64
import hashlib
import html
import json
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from connectors.known_keys import without_known_keys
from connectors.redact import HIDDEN, SHORTEST, Redactor

SECRETS = st.text(st.characters(codec="utf-8", min_codepoint=32), min_size=SHORTEST, max_size=60)
Quote = Callable[[str], str]
AROUND = st.text(st.characters(codec="ascii"), max_size=12)


def every_form(secret: str, before: str) -> dict[str, str]:
    """How services, libraries and terminals write it; `before` shifts what is encoded together."""
    plain = secret.encode()
    together = base64.b64encode(before.encode() + plain).decode()
    start = -(-len(before.encode()) * 8 // 6)
    inside = together[start : (len(before.encode()) + len(plain)) * 8 // 6]
    return {
        "plain": secret,
        "json": json.dumps(secret)[1:-1],
        "json, not ascii": json.dumps(secret, ensure_ascii=False)[1:-1],
        "json, slashes escaped": json.dumps(secret)[1:-1].replace("/", "\\/"),
        "percent": quote(secret, safe=""),
        "percent, small": "".join(f"%{each:02x}" for each in plain),
        "form": quote_plus(secret),
        "html": html.escape(secret),
        "hex": plain.hex(),
        "HEX": plain.hex().upper(),
        "python": repr(secret)[1:-1],
        "base64": base64.b64encode(plain).decode(),
        "base64url": base64.urlsafe_b64encode(plain).decode().rstrip("="),
        "base64 with what is before": inside,
    }


@given(SECRETS, AROUND, AROUND)
def test_every_form_of_a_secret_is_found(secret: str, before: str, after: str) -> None:
    redactor = Redactor()
    redactor.learn(secret)
    if len(secret.encode()) < SHORTEST:
        return
    for name, form in every_form(secret, before).items():
        hidden = redactor.hide(f"{before}{form}{after}")

        assert form not in hidden.replace(HIDDEN, "") or form in HIDDEN, name
        assert HIDDEN in hidden, name


def rss() -> int:
    """Bytes that this process has in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux's /proc")
def test_tokens_that_are_renewed_for_days_are_hidden_and_take_no_more_memory() -> None:
    redactor, tokens = Redactor(), [f"eyJ{number:04}{'x' * 1_200}" for number in range(80)]
    redactor.learn("the-secret-value")
    before = rss()
    for number, each in enumerate(tokens):
        redactor.learn(each, f"main/mail-{number % 3}")
        assert redactor.hide(f"a {each} b the-secret-value") == f"a {HIDDEN} b {HIDDEN}"
    newest = " ".join(tokens[-24:])

    assert redactor.hide(newest) == " ".join([HIDDEN] * 24)
    assert redactor.hide(tokens[0]) == tokens[0]
    assert rss() - before < 64 * 1024 * 1024


def test_what_two_credentials_have_in_common_is_hidden_as_long_as_one_has_it() -> None:
    redactor = Redactor()
    for of in ("one", "other"):
        redactor.learn("the-shared-secret", of)
    for number in range(20):
        redactor.learn(f"another-secret-{number}", "one")

    assert redactor.hide("the-shared-secret") == HIDDEN
    assert redactor.hide("another-secret-1 another-secret-19") == f"another-secret-1 {HIDDEN}"


def test_secrets_that_overlap_leave_nothing_of_either() -> None:
    redactor = Redactor()
    for number in range(100):  # more than one automaton looks for
        redactor.learn(f"{number:04}-begins-here-and-ends")
        redactor.learn(f"and-ends-{number:04}-there")

    assert redactor.hide("x 0007-begins-here-and-ends-0042-there y") == f"x {HIDDEN} y"


def test_two_secrets_that_overlap_leave_nothing_of_either_where_one_look_finds_both() -> None:
    redactor = Redactor()
    redactor.learn("begins-here-and-ends")
    redactor.learn("and-ends-there")

    assert redactor.hide("x begins-here-and-ends-there y") == f"x {HIDDEN} y"


@pytest.mark.parametrize("quoted", [json.dumps, repr, html.escape])
@pytest.mark.parametrize("again", [json.dumps, repr])
def test_what_quotes_a_secret_may_be_quoted_once_more(quoted: Quote, again: Quote) -> None:
    secret = 'it\'s a "se<cr>et" & ümläut \\n'
    redactor = Redactor()
    redactor.learn(secret)
    for said in (again(quoted(secret)), html.escape(secret, quote=False)):
        assert redactor.hide(said).strip("\"'\\") == HIDDEN


def test_a_secret_is_hidden_in_names_too_and_what_looks_like_a_key_is_not_told() -> None:
    redactor = Redactor()
    redactor.learn("the-secret-value")
    looks = f"sk_live_{'a1B2' * 6}"

    assert redactor.hide_in({"a the-secret-value": ["the-secret-value", 1]}) == {
        f"a {HIDDEN}": [HIDDEN, 1]
    }
    assert redactor.told(f"the-secret-value, {looks}") == f"{HIDDEN}, {HIDDEN}"


@given(SECRETS, st.integers(min_value=1, max_value=20))
def test_one_secret_inside_another_leaves_nothing_of_either(secret: str, more: int) -> None:
    longer = secret + "-" + "x" * more
    redactor = Redactor()
    for each in (secret, longer):
        redactor.learn(each)

    assert redactor.hide(f"a {longer} b {secret} c") == f"a {HIDDEN} b {HIDDEN} c"


def test_each_line_of_a_key_is_found_alone() -> None:
    lines = [base64.b64encode(bytes([at]) * 48).decode() for at in range(1, 4)]
    redactor = Redactor()
    redactor.learn(
        "-----BEGIN PRIVATE KEY-----\n" + "\n".join(lines) + "\n-----END PRIVATE KEY-----"
    )

    assert redactor.hide(f"line 2: {lines[1]}") == f"line 2: {HIDDEN}"


def test_many_keys_of_many_lines_are_found_line_by_line() -> None:
    redactor, keys = Redactor(), []
    for number in range(3):
        lines = [
            base64.b64encode(hashlib.sha384(f"{number}-{line}".encode()).digest()).decode()
            for line in range(600)
        ]
        keys.append("\n".join(lines))
        redactor.learn(keys[-1])

    assert redactor.hide("\n".join(keys)) == "\n".join([HIDDEN] * 3)
    assert redactor.hide(f"line 7: {keys[0].splitlines()[7]}.") == f"line 7: {HIDDEN}."


def test_half_of_a_surrogate_pair_and_bytes_that_are_no_text_are_no_way_around() -> None:
    redactor = Redactor()
    redactor.learn("the-secret-value")

    assert redactor.hide("\ud800 the-secret-value") == f"\ud800 {HIDDEN}"
    assert redactor.hide_bytes(b"\xff\x00the-secret-value\xfe") == b"\xff\x00[secret]\xfe"


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer abcDEF123456789012",
        "authorization: basic dXNlcjpwYXNzd29yZA==",
        "sk-proj-abcdefghijklmnopqrstuv",
        "sk_live_abcdefghijklmnop1234",
        "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
        "xoxb-123456789012-abcdefghijkl",
        "AKIAABCDEFGHIJKLMNOP",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0abc.c2lnbmF0dXJl",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----",
        "postgresql://user:hunter2@db/x",
        "lam_" + "a" * 43,
    ],
)
def test_what_looks_like_a_well_known_key_is_not_told(text: str) -> None:
    told = without_known_keys(f"it said {text} twice")

    assert HIDDEN in told
    assert told.startswith("it said ")
    assert told.endswith(" twice")


@pytest.mark.parametrize(
    "text",
    [
        "the bearer of this letter",
        "basic training for everybody",
        "task-force and risk-free-returns",
        "https://example.com/a:b@c",
        "order 1042 of ann@example.com",
        "sk-short",
    ],
)
def test_words_are_not_taken_for_keys(text: str) -> None:
    assert without_known_keys(text) == text


@pytest.mark.timeout(10)
@pytest.mark.parametrize("beginning", ["-eyJ", "-----BEGIN PRIVATE KEY-----", "-sk-", "://a:"])
def test_many_beginnings_of_keys_are_read_as_fast_as_other_words(beginning: str) -> None:
    text = beginning * (3_000_000 // len(beginning))

    assert without_known_keys(f"Bearer abcDEF123456789012 {text}").startswith(f"Bearer {HIDDEN} ")


def test_a_private_key_ends_where_its_last_line_is_or_with_the_text() -> None:
    begin, end = "-----BEGIN EC PRIVATE KEY-----", "-----END EC PRIVATE KEY-----"

    assert without_known_keys(f"a {begin}b{end} c {begin}d") == f"a {HIDDEN} c {HIDDEN}"
    assert without_known_keys(f"{end} {begin}{begin}b{end} c") == f"{end} {HIDDEN} c"
    far = f"{begin}{' ' * 20_000}{end}"
    assert without_known_keys(far) == far


def test_what_is_no_secret_is_the_very_same_text() -> None:
    redactor = Redactor()
    redactor.learn("the-secret-value")
    text = "the secret value, the-secret and -secret-value"

    assert redactor.hide(text) is text


LEAVES = st.one_of(st.none(), st.integers(), st.sampled_from(["the-secret-value", "a", "b\0", ""]))
TREES = st.recursive(
    LEAVES,
    lambda each: st.one_of(
        st.lists(each, max_size=3),
        st.dictionaries(st.sampled_from(["k", "the-secret-value x"]), each, max_size=2),
    ),
)


def _each_by_itself(redactor: Redactor, value: JsonValue) -> JsonValue:
    match value:
        case str():
            return redactor.hide(value)
        case list():
            return [_each_by_itself(redactor, each) for each in value]
        case dict():
            return {redactor.hide(k): _each_by_itself(redactor, v) for k, v in value.items()}
        case _:
            return value


@given(TREES)
def test_every_text_of_a_value_is_written_as_it_would_be_alone(value: JsonValue) -> None:
    redactor = Redactor()
    redactor.learn("the-secret-value")

    assert redactor.hide_in(value) == _each_by_itself(redactor, value)


def _calls(work: Callable[[], object]) -> int:
    """How many functions of Python are called for it."""
    names: list[str] = []
    sys.setprofile(lambda frame, what, _: names.append(what))
    try:
        work()
    finally:
        sys.setprofile(None)
    return names.count("call")


def test_an_answer_of_many_texts_without_a_secret_is_looked_through_at_once() -> None:
    redactor = Redactor()
    redactor.learn("the-secret-value")
    few, many = (
        {"rows": [{"n": n, "text": f"row {n}"} for n in range(count)]} for count in (9, 999)
    )

    assert redactor.hide_in(many) == many
    assert _calls(lambda: redactor.hide_in(many)) == _calls(lambda: redactor.hide_in(few))
