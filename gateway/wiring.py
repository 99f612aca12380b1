"""Settings become objects, here and nowhere else."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from pydantic import JsonValue

from connectors.catalog import Catalog
from connectors.connector import Call, Outcome
from connectors.credentials import Vault
from connectors.errors import ConfigurationError
from connectors.factories import ConnectionSettings
from connectors.http import Transport
from connectors.opening import open_registry
from connectors.redact import Redactor
from connectors.registry import Registry
from connectors.shelf import Shelf
from connectors.spec import ActionSpec, CallContext, Limits
from executor.check.cedar import Policy, PolicyError
from executor.check.cedar_validation import require_valid
from executor.check.expand import Playbooks
from executor.dispatch.base import Dispatcher
from executor.plan.model import EXTRACT
from executor.run.machine import Machine
from executor.store.drives import Due
from executor.store.errors import StoreLockedError
from executor.store.store import Store
from executor.store.waking import wake_waiting
from gateway.admission import Admission
from gateway.allowance import Allowances
from gateway.auth import operator_key
from gateway.clock_told import telling
from gateway.connecting import Returns
from gateway.credentials import Credentials
from gateway.desk import Desk
from gateway.dispatching import dispatcher_of, listening
from gateway.hiding import hidden_in_logs
from gateway.keyring import Secrets, key_file_of, learn_known, require_same, ring_of, secrets_of
from gateway.material import Seals
from gateway.notices import Notices
from gateway.offering import Offerings, asking, with_extract
from gateway.pins import pins_of
from gateway.planners import extractor_of, lacking, models_of, planner_of, planners_of
from gateway.playbooks import load_playbooks, text_of
from gateway.retention import deleting
from gateway.service import Service
from gateway.settings import Settings
from planner.extract import Extractor
from planner.models.base import Model
from planner.search import Search

LOOK_S = 0.1
_log = logging.getLogger("lamgate.database")


@dataclass(frozen=True)
class Gateway:
    """A running gateway, whoever talks to it."""

    settings: Settings
    store: Store
    registry: Registry
    returns: Returns
    offerings: Offerings
    policy: Policy
    planners: Mapping[str, str | None]  # by name, with what keeps one from being asked
    search: Search
    dispatcher: Dispatcher
    machine: Machine
    notices: Notices
    allowances: Allowances
    credentials: Credentials
    redactor: Redactor
    operator_key: str = field(repr=False)
    clock: Callable[[], float]

    @property
    def catalog(self) -> Catalog:
        """What can be called now."""
        return self.offerings.now().catalog

    @property
    def offered(self) -> Catalog:
        """The same with the playbooks, for whoever writes plans."""
        return self.offerings.now().offered

    @property
    def admission(self) -> Admission:
        """How plans are admitted now."""
        return self.offerings.now().admission

    def wake(self, due: Due) -> None:
        """Have something driven now, and tell a drive that is under way."""
        if due.kind == "run":
            self.machine.ring(due.id)
        self.dispatcher.submit(due)
        self.notices.tell(due)


@dataclass(frozen=True)
class _Opened:
    """What everything else stands on."""

    store: Store
    keys: Secrets
    vault: Vault
    credentials: Credentials
    returns: Returns


@asynccontextmanager
async def build(settings: Settings, *, patience_s: float = 0.0) -> AsyncIterator[Gateway]:
    """Start everything; what cannot start raises and leaves nothing behind.

    With patience it waits for a database that a command has, which ends by itself.
    """
    policy = await asyncio.to_thread(load_policy, settings)
    playbooks = await asyncio.to_thread(load_playbooks, settings)
    async with (
        _opened(settings, patience_s) as opened,
        open_registry(
            connections(settings),
            opened.vault,
            shelf_of(settings),
            pins_of(opened.store),
            opened.returns.address,
        ) as registry,
    ):
        models = models_of(settings, opened.vault)
        extractor = extractor_of(settings, models)
        catalog = with_extract(await registry.load(), extractor)
        await asyncio.to_thread(require_valid, policy, catalog)
        gateway = await _assemble(settings, opened, registry, models, extractor, policy, playbooks)
        async with (
            asking(registry, policy, settings.catalog.retry_s),
            listening(settings, gateway.machine, gateway.notices, gateway.dispatcher),
            deleting(opened.store, settings.retention.runs_days),
            telling(opened.store),
        ):
            # What the environment lacked when a call was refused may be set by now.
            wake = partial(wake_waiting, waiting_for="credentials", now=gateway.clock())
            await opened.store.write(wake)
            await gateway.dispatcher.start()
            try:
                yield gateway
            finally:
                await gateway.dispatcher.stop()


@asynccontextmanager
async def _opened(settings: Settings, patience_s: float) -> AsyncIterator[_Opened]:
    """The database and the secrets; whatever is said or written from here on is without them."""
    keys = await asyncio.to_thread(secrets_of, settings)
    redactor = Redactor()
    vault_of = partial(Vault, redactor=redactor)
    learn_known(settings, keys, vault_of())
    with hidden_in_logs(redactor):
        store = await _store(settings.database_url, redactor, patience_s)
        way = Transport(frozenset(settings.credentials.allow_hosts))
        try:
            await require_same(store, keys)
            seals = Seals(ring_of(settings, keys), redactor)
            async with aclosing(Credentials(store, seals, way, store.clock)) as credentials:
                await credentials.learn_all()
                returns = Returns(settings.server.public_url, keys.seal, store.clock)
                yield _Opened(store, keys, vault_of(stored=credentials), credentials, returns)
        finally:
            await way.aclose()
            await store.close()


async def _store(url: str, redactor: Redactor, patience_s: float) -> Store:
    until = time.monotonic() + patience_s
    has_said = False
    while True:
        try:
            return await Store.open(url, redactor.hide)
        except StoreLockedError as error:
            if not error.is_passing or time.monotonic() > until:
                raise
            if not has_said:
                _log.warning("waiting up to %g s, for %s", patience_s, error)
            has_said = True
        await asyncio.sleep(LOOK_S)


async def _assemble(
    settings: Settings,
    opened: _Opened,
    registry: Registry,
    models: Mapping[str, Model],
    extractor: Extractor | None,
    policy: Policy,
    playbooks: Playbooks,
) -> Gateway:
    store, keys = opened.store, opened.keys
    clock, notices, dispatcher = store.clock, Notices(), dispatcher_of(settings, store)
    shelf = shelf_of(settings)
    search = Search(None if shelf is None else shelf.folder)
    planners = planners_of(settings, playbooks, models, search)

    def admission_over(catalog: Catalog) -> Admission:
        lift_role, budgets, runs = settings.policy.lift_role, settings.budgets, settings.runs
        return Admission(catalog, policy, keys.seal, lift_role, budgets, clock, playbooks, runs)

    offerings = Offerings(lambda: registry.catalog, extractor, playbooks, admission_over)
    machine = Machine(
        store=store,
        call=_call_of(registry, extractor),
        policy_of=lambda _: policy,
        seal_key=keys.seal,
        key_secret=keys.idempotency,
        clock=clock,
        limits_of=partial(limits_of, settings),
        lease_ends=dispatcher.lease_ends,
        is_alone=not store.is_shared,
        result_bytes=settings.results.most_bytes,
        on_change=notices.tell,
    )
    service = Service(
        desk=Desk(store, clock, dispatcher.submit, notices.tell, settings.planner, machine.know),
        offering_of=offerings.now,
        planner_of=lambda name: planner_of(planners, name or settings.planner),
    )
    # Planning is as durable as running: both are rows that a dispatcher drives.
    dispatcher.register("request", service.handle, service.desk.planning_broke)
    dispatcher.register("run", machine.drive, machine.put_aside, machine.halt, machine.look_back)
    return Gateway(
        settings=settings,
        store=store,
        registry=registry,
        returns=opened.returns,
        offerings=offerings,
        policy=policy,
        planners=lacking(models),
        search=search,
        dispatcher=dispatcher,
        machine=machine,
        notices=notices,
        allowances=Allowances(settings.allowance),
        credentials=opened.credentials,
        redactor=opened.vault.redactor,
        operator_key=await operator_key(store, key_file_of(settings), clock()),
        clock=clock,
    )


def connections(settings: Settings) -> list[ConnectionSettings]:
    """What the registry is told of each connection."""
    return [
        ConnectionSettings(
            name=name,
            connector=each.connector,
            base_url=each.base_url,
            credential=each.credential,
            options=each.options,
            base_dir=settings.base_dir,
            allow_hosts=each.allow_hosts,
        )
        for name, each in settings.connections.items()
    ]


def shelf_of(settings: Settings) -> Shelf | None:
    """Where connections keep what they offer: what is said, or else beside the database's file."""
    if settings.catalog.path is not None:
        return Shelf(settings.at(settings.catalog.path))
    prefix = "sqlite:///"
    if not settings.database_url.startswith(prefix):
        return None  # a server has no folder beside it
    return Shelf(Path(settings.database_url.removeprefix(prefix) + ".catalog"))


def limits_of(settings: Settings, action: ActionSpec) -> Limits | None:
    """What holds for a call: what the operator says of the connection, or else the manifest."""
    connection = settings.connections.get(action.connection)
    said = None if connection is None else connection.limits
    return action.limits if said is None else said


def load_policy(settings: Settings) -> Policy:
    """Read every `*.cedar` of the policy folder; no folder means that nothing writes."""
    if settings.policy.path is None:
        return Policy.parse({})
    connectors = {name: each.connector for name, each in settings.connections.items()}
    folder = settings.at(settings.policy.path)
    if not folder.is_dir():
        raise ConfigurationError(f"policy.path: there is no folder {folder}")
    texts = {file.name: text_of(file) for file in sorted(folder.glob("*.cedar"))}
    if not texts:
        raise PolicyError(f"{folder} holds no *.cedar file")
    return Policy.parse(texts, settings.policy.mode, connectors)


def _call_of(registry: Registry, extractor: Extractor | None) -> Call:
    async def call(
        action: ActionSpec, arguments: Mapping[str, JsonValue], context: CallContext
    ) -> Outcome:
        if extractor is not None and action.name == EXTRACT:
            return await extractor.call(action, arguments, context)
        return await registry.call(action, arguments, context)

    return call
