"""The database's own secret is exchanged: what hung on the old one hangs on the new one, or nothing
was changed, whenever whoever does it dies."""

import secrets
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from servers import Server
from sqlalchemy import Connection

from connectors.catalog import Catalog
from connectors.errors import ConfigurationError
from connectors.spec import JsonObject, Principal
from executor.check.admit import (
    Accepted,
    AdmissionContext,
    Inputs,
    SealBrokenError,
    admit,
    restore,
    to_row,
)
from executor.check.parse import plan_of
from executor.plan.model import Plan
from executor.store import credentials, facts, plans
from executor.store.beside import read_beside, write_beside
from executor.store.errors import StoreError, StoreLockedError
from executor.store.migrate import migrate
from executor.store.postgres import others
from executor.store.store import backend_of
from gateway.cipher import CannotOpenError
from gateway.exchange import Exchanged, exchange_beside, exchange_on_server
from gateway.keyring import (
    Secrets,
    load_secrets,
    new_secret_file,
    parsed,
    ring_of,
    secret_file,
    secrets_of,
)
from gateway.settings import CredentialStore, Database, Settings

TENANT, PLANS = "main", 43
BROKEN = "pln_07"
OLD, NEW = "a1" * 64, "b2" * 64


def admitted(seal_key: bytes, number: int) -> Accepted:
    step = {"id": "sum", "action": "fn.add", "args": [
        {"value": f"{number}", "to": "left"}, {"value": "2", "to": "right"}]}  # fmt: skip
    plan = plan_of({"steps": [step], "answer": [{"to": "sum", "ref": "sum"}]})
    assert isinstance(plan, Plan), plan
    who = Principal("requester-1", TENANT, frozenset({"requester"}))
    found = admit(plan, AdmissionContext(
        request=f"What is {number} and 2?", inputs=Inputs(), catalog=Catalog([]), policy=None,
        principal=who, today="2026-11-25", seal_key=seal_key, lift_role=None))  # fmt: skip
    assert isinstance(found, Accepted), found
    return found


@dataclass(frozen=True)
class Place:
    """A database that is sealed with the old secret, of either kind."""

    settings: Settings
    file: Path | None

    def exchange(self) -> Exchanged:
        if self.file is not None:
            return exchange_beside(self.settings, NEW)
        return exchange_on_server(self.settings, "env:LAMGATE_SECRET_NEW")

    def read(self) -> dict[str, JsonObject]:
        """Every plan as it is stored, by its id."""

        def work(c: Connection) -> dict[str, JsonObject]:
            ids = [f"pln_{number:02}" for number in range(PLANS)]
            return {name: row.accepted for name in ids if (row := plans.get(c, TENANT, name))}

        found = read_beside(self.settings.database_url, work)
        assert found is not None
        assert len(found) == PLANS
        return found

    def sealed(self) -> tuple[list[str], list[str]]:
        """The sealed texts of credentials, and of a consent."""

        def work(c: Connection) -> tuple[list[str], list[str]]:
            consent = credentials.consent_of_ticket(c, "ticket", 0.0)
            assert consent is not None
            return [each.sealed for each in credentials.listed(c)], [consent.sealed]

        found = read_beside(self.settings.database_url, work)
        assert found is not None
        return found

    @property
    def is_of(self) -> str | None:
        return read_beside(self.settings.database_url, lambda c: facts.fact(c, facts.SECRET))


@pytest.fixture(params=["file", "server"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setenv("LAMGATE_SECRET", OLD)
    monkeypatch.setenv("LAMGATE_SECRET_NEW", NEW)
    monkeypatch.setenv("MASTER", "c3" * 32)
    if request.param == "file":
        file: Path | None = tmp_path / "lamgate.db"
        secret_file(tmp_path / "lamgate.db").write_text(OLD)
        url = f"sqlite:///{file}"
    else:
        server: Server = request.getfixturevalue("postgres")
        file, url = None, server.new_database()
    return Place(filled(Settings(database=Database(url=url))), file)


def mastered(settings: Settings) -> Settings:
    """The same with a master key that the operator has set."""
    kept = CredentialStore(keys={"m1": "env:MASTER"})
    return settings.model_copy(update={"credentials": kept})


def filled(settings: Settings) -> Settings:
    keys = parsed(OLD)
    engine = backend_of(settings.database_url).engine(writer=True)
    with engine.connect() as c:
        migrate(c)
    engine.dispose()
    ring = ring_of(settings, keys)
    other = ring_of(mastered(settings), keys)

    def work(c: Connection, now: float) -> None:
        facts.note(c, facts.SECRET, keys.check)
        for number in range(PLANS):
            found, name = to_row(admitted(keys.seal, number)), f"pln_{number:02}"
            if name == BROKEN:
                found["request"] = "Say something else."
            plans.add(c, plans.PlanRow(TENANT, name, "d", "requester-1", None, found, now))
        for name, by in (("own", ring), ("mastered", other)):
            sealed = by.seal(f"the secret of {name}", TENANT, name)
            row = credentials.CredentialRow(
                TENANT, name, "api-key", {}, sealed, "ready", None, None, 0, 0.0, now, now
            )
            credentials.put(c, row)
        sealed = ring.seal("{}", TENANT, "ticket")
        consent = credentials.ConsentRow(
            TENANT, "ticket", "own", "op", None, None, sealed, "http://a", now + 900
        )
        credentials.begin(c, consent, now)

    write_beside(settings.database_url, work)
    return settings


def test_everything_that_hung_on_the_old_secret_hangs_on_the_new_one_and_nothing_else_does(
    place: Place,
) -> None:
    before = place.read()
    done, old, new = place.exchange(), parsed(OLD), parsed(NEW)
    (stored, consents), ring = place.sealed(), ring_of(place.settings, new)
    own = next(each for each in stored if ":database:" in each)
    under_master = next(each for each in stored if ":m1:" in each)

    assert done == Exchanged(PLANS - 1, (BROKEN,), 1, ("main/mastered",))
    after = place.read()
    for name, row in before.items():
        now = after[name]
        assert {**now, "seal": ""} == {**row, "seal": ""}
        with pytest.raises(SealBrokenError):
            restore(now, old.seal)
        if name == BROKEN:
            assert now == row
            with pytest.raises(SealBrokenError):
                restore(now, new.seal)
        else:
            assert restore(now, new.seal).request == row["request"]
    assert ring.open(own, TENANT, "own") == "the secret of own"
    assert ring.open(consents[0], TENANT, "ticket") == "{}"
    with pytest.raises(CannotOpenError):
        ring_of(place.settings, old).open(own, TENANT, "own")
    opened = ring_of(mastered(place.settings), new).open(under_master, TENANT, "mastered")
    assert opened == "the secret of mastered"
    assert place.is_of == new.check


def test_a_file_whose_exchange_was_cut_off_is_refused_until_the_same_words_bring_it_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MASTER", "c3" * 32)
    file = tmp_path / "lamgate.db"
    secret_file(file).write_text(OLD)
    place = Place(filled(Settings(database=Database(url=f"sqlite:///{file}"))), file)
    # Killed before the commit: the new secret is there, and nothing is sealed with it.
    new_secret_file(file).write_text("d4" * 64)
    with pytest.raises(ConfigurationError, match="was cut off"):
        secrets_of(place.settings)
    first = place.exchange()
    # Killed after it: everything is sealed with the new one, which is not in its place yet.
    shutil.copy(secret_file(file), new_secret_file(file))
    secret_file(file).write_text(OLD)
    with pytest.raises(ConfigurationError, match="was cut off"):
        secrets_of(place.settings)
    second = exchange_beside(place.settings, secrets.token_hex(64))

    assert (first.plans, first.was_before) == (PLANS - 1, False)
    assert second == Exchanged(was_before=True)
    assert load_secrets(file) == parsed(NEW)
    assert not new_secret_file(file).exists()
    assert place.is_of == parsed(NEW).check
    assert restore(place.read()["pln_00"], parsed(NEW).seal)


def test_with_another_secret_or_beside_somebody_else_nothing_is_changed(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = backend_of(place.settings.database_url)
    backend.take()
    engine = backend.engine(writer=False)
    with engine.connect() as c:
        facts.fact(c, facts.SECRET)
        c.rollback()
        with pytest.raises(StoreLockedError):
            place.exchange()
    engine.dispose()
    backend.release()
    wait_until_alone(place)
    wrong = "e5" * 64
    monkeypatch.setenv("LAMGATE_SECRET", wrong)
    if place.file is not None:
        secret_file(place.file).write_text(wrong)
        new_secret_file(place.file).write_text("f6" * 64)
    with pytest.raises(ConfigurationError, match="another one than this database was begun with"):
        place.exchange()

    assert place.is_of == parsed(OLD).check
    assert restore(place.read()["pln_00"], parsed(OLD).seal)
    if place.file is not None:
        assert secret_file(place.file).read_text() == wrong
        assert new_secret_file(place.file).read_text() == "f6" * 64


def wait_until_alone(place: Place) -> None:
    """A session of a server is gone a moment after it was ended."""
    if place.file is None:
        deadline = time.monotonic() + 30
        while read_beside(place.settings.database_url, others):
            assert time.monotonic() < deadline


def test_on_a_server_the_same_words_find_that_nothing_is_left_to_do(
    postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in (("SECRET", OLD), ("SECRET_NEW", NEW), ("SAME", OLD)):
        monkeypatch.setenv(f"LAMGATE_{name}", text)
    monkeypatch.setenv("MASTER", "c3" * 32)
    settings = filled(Settings(database=Database(url=postgres.new_database())))
    with pytest.raises(ConfigurationError, match="that there is already"):
        exchange_on_server(settings, "env:LAMGATE_SAME")
    exchange_on_server(settings, "env:LAMGATE_SECRET_NEW")

    assert exchange_on_server(settings, "env:LAMGATE_SECRET_NEW") == Exchanged(was_before=True)
    assert issubclass(StoreLockedError, StoreError)
    assert isinstance(secrets_of(settings), Secrets)
