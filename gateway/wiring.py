"""Settings become objects, here and nowhere else."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from connectors.catalog import Catalog
from connectors.credentials import secret_of
from connectors.errors import ConfigurationError
from connectors.http import Transport
from connectors.registry import ConnectionSettings, Given, Registry
from connectors.registry import build as build_registry
from executor.check.cedar import Policy, PolicyError
from executor.dispatch.local import LocalDispatcher
from executor.playbook import Playbook, read_playbook
from executor.run.drive import Machine
from executor.store.drives import Due
from executor.store.store import Store, database_path
from gateway.admission import Admission
from gateway.auth import operator_key
from gateway.desk import Desk
from gateway.notices import Notices
from gateway.service import Service
from gateway.settings import Settings
from planner.embedded import EmbeddedPlanner
from planner.models.build import ModelSettings, build_model
from planner.propose import ModelPlanner
from planner.request import Planner

EMBEDDED = "playbooks"


@dataclass(frozen=True)
class Gateway:
    """A running gateway, whoever talks to it."""

    settings: Settings
    store: Store
    catalog: Catalog
    policy: Policy
    admission: Admission
    planners: frozenset[str]
    dispatcher: LocalDispatcher
    machine: Machine
    notices: Notices
    operator_key: str
    clock: Callable[[], float]

    def wake(self, due: Due) -> None:
        """Have something driven now, and tell a drive that is under way."""
        if due.kind == "run":
            self.machine.ring(due.id)
        self.dispatcher.submit(due)
        self.notices.tell(due)


@asynccontextmanager
async def build(settings: Settings) -> AsyncIterator[Gateway]:
    """Start everything; what cannot start raises and leaves nothing behind."""
    policy = await asyncio.to_thread(load_policy, settings)
    playbooks = await asyncio.to_thread(load_playbooks, settings)
    store = await Store.open(settings.database_url)
    transport = Transport(allowed_hosts(settings))
    try:
        registry = build_registry(connections(settings), Given(transport, secret_of))
        catalog = await registry.load()
        gateway = await _assemble(settings, store, registry, catalog, policy, playbooks)
        await gateway.dispatcher.start()
        try:
            yield gateway
        finally:
            await gateway.dispatcher.stop()
    finally:
        await transport.aclose()
        await store.close()


async def _assemble(
    settings: Settings,
    store: Store,
    registry: Registry,
    catalog: Catalog,
    policy: Policy,
    playbooks: list[Playbook],
) -> Gateway:
    database = database_path(settings.database_url)
    seal_key, key_secret = await asyncio.to_thread(_secrets, database)
    clock, notices = time.time, Notices()
    admission = Admission(
        catalog, policy, seal_key, settings.policy.lift_role, settings.budgets.steps, clock
    )
    machine = Machine(
        store, registry.call, lambda _: policy, seal_key, key_secret, clock, notices.tell
    )
    dispatcher = LocalDispatcher(store, clock=clock)
    planners = _planners(settings, playbooks)
    service = Service(
        desk=Desk(store, clock, dispatcher.submit, notices.tell),
        catalog=catalog,
        admission=admission,
        planner_of=lambda name: planners[name or settings.planner],
    )
    dispatcher.register("request", service.handle)
    dispatcher.register("run", machine.drive)
    key_file = operator_key_file(database)
    return Gateway(
        settings=settings,
        store=store,
        catalog=catalog,
        policy=policy,
        admission=admission,
        planners=frozenset(planners),
        dispatcher=dispatcher,
        machine=machine,
        notices=notices,
        operator_key=await operator_key(store, key_file, clock()),
        clock=clock,
    )


def operator_key_file(database: Path) -> Path:
    """Where the key of whoever owns the machine is kept."""
    return database.with_name(database.name + ".operator-key")


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
        )
        for name, each in settings.connections.items()
    ]


def allowed_hosts(settings: Settings) -> frozenset[str]:
    """Every `host:port` that the operator's file allows although it is not public."""
    return frozenset(host for each in settings.connections.values() for host in each.allow_hosts)


def load_policy(settings: Settings) -> Policy:
    """Read every `*.cedar` of the policy folder; no folder means that nothing writes."""
    if settings.policy.path is None:
        return Policy.parse({})
    folder = settings.at(settings.policy.path)
    if not folder.is_dir():
        raise ConfigurationError(f"policy.path: there is no folder {folder}")
    texts = {file.name: file.read_text(encoding="utf-8") for file in folder.glob("*.cedar")}
    if not texts:
        raise PolicyError(f"{folder} holds no *.cedar file")
    return Policy.parse(texts)


def load_playbooks(settings: Settings) -> list[Playbook]:
    """Read every `*.yaml` of the playbook folder."""
    if settings.playbooks.path is None:
        return []
    folder = settings.at(settings.playbooks.path)
    if not folder.is_dir():
        raise ConfigurationError(f"playbooks.path: there is no folder {folder}")
    found = []
    for file in sorted(folder.glob("*.yaml")):
        try:
            content = yaml.safe_load(file.read_text(encoding="utf-8"))
        except yaml.YAMLError as error:
            raise ConfigurationError(f"{file}: no YAML: {error}") from error
        found.append(read_playbook(content, str(file)))
    return found


def _planners(settings: Settings, playbooks: list[Playbook]) -> dict[str, Planner]:
    planners: dict[str, Planner] = {EMBEDDED: EmbeddedPlanner(playbooks)}
    for name, each in settings.models.items():
        model = build_model(
            ModelSettings(
                name=name,
                adapter=each.adapter,
                model=each.model,
                base_url=each.base_url,
                api_key=secret_of(each.api_key) if each.api_key else None,
                structured=each.structured,
                timeout_s=each.timeout_s,
                chat_model=each.chat_model,
            )
        )
        planners[name] = ModelPlanner(model, deadline_s=each.timeout_s)
    return planners


def _secrets(database: Path) -> tuple[bytes, bytes]:
    """The keys of seals and of idempotency: made once, readable by the owner alone."""
    file = database.with_name(database.name + ".secret")
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(secrets.token_hex(64) + "\n", encoding="ascii")
    content = bytes.fromhex(file.read_text(encoding="ascii").strip())
    return content[:32], content[32:]
