"""The operator's file `lamgate.toml`; `LAMGATE_...` in the environment overrides, `__` nests."""

import difflib
import os
from pathlib import Path
from typing import Any, Literal, TypeGuard, get_args

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from connectors.errors import ConfigurationError
from connectors.spec import Limits
from executor.check.budgets import RESULT_BYTES, Budgets
from executor.check.certificate import Mode, Options
from executor.store.kept import LEAST_S
from planner.models.build import Adapter
from planner.models.structured import Structured

FILE = "lamgate.toml"
DAY_S = 24 * 3600.0
EMBEDDED = "playbooks"  # the planner that needs no model


class _Closed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Database(_Closed):
    """Where everything is kept, and what seals it where no file beside it does."""

    url: str = "sqlite:///var/lamgate.db"
    secret: str = "env:LAMGATE_SECRET"  # noqa: S105 - a reference; one for every process of a server


class Server(_Closed):
    """Where the gateway listens."""

    host: str = "127.0.0.1"
    port: int = Field(default=8700, ge=0, le=65535)
    heartbeat_s: float = Field(default=10.0, gt=0)  # of a stream of events that is silent
    connections: int = Field(default=800, ge=1)  # at once; others are told to come later
    public_url: str | None = None  # where browsers reach it; services send them back there


AskingKind = Literal["reads", "writes"]


class Allowance(_Closed):
    """What one API key may ask of each process (`gateway/allowance.py`); 0 is no limit."""

    reads: int = Field(default=6000, ge=0)  # GET and HEAD, in a minute
    writes: int = Field(default=600, ge=0)  # everything else, in a minute
    concurrency: int = Field(default=100, ge=0)  # of either, under way at once

    def of(self, kind: AskingKind) -> int:
        """How many of a kind in a minute."""
        return self.reads if kind == "reads" else self.writes


class Workers(_Closed):
    """What the processes on a server's database drive; a file has one process."""

    concurrency: int = Field(default=64, ge=0)  # drives at once of each; 0 drives nothing here


class CredentialStore(_Closed):
    """What seals stored credentials, and where their authorisation servers may be."""

    keys: dict[str, str] = {}  # id of a master key: env:NAME; the last one seals, all open
    allow_hosts: tuple[str, ...] = ()  # exact host:port pairs, as a connection has them


class CatalogPlace(_Closed):
    """Where connections keep what they offer, and how often an absent one is asked again."""

    path: Path | None = None
    retry_s: float = Field(default=30.0, gt=0)


class Retention(_Closed):
    """How long what has ended is kept; without a number nothing is ever deleted."""

    runs_days: int | None = Field(default=None, ge=round(LEAST_S / DAY_S), le=36_500)


class Results(_Closed):
    """What calls may answer."""

    most_bytes: int = Field(default=RESULT_BYTES, ge=1000)  # of one answer, as JSON


class ModelEntry(_Closed):
    """One `[models.NAME]`."""

    adapter: Adapter
    model: str
    base_url: str | None = None
    api_key: str | None = None  # a reference, env:NAME
    structured: Structured = "auto"
    timeout_s: float = Field(default=60.0, gt=0)
    chat_model: str | None = None  # langchain: `module:name` of a chat model
    options: dict[str, JsonValue] = {}  # sent with every request to the model


class Connection(BaseModel):
    """One `[connections.NAME]`; members that are not named here are the connector's own options."""

    model_config = ConfigDict(frozen=True, extra="allow")

    connector: str
    base_url: str = ""
    credential: str | None = None
    allow_hosts: tuple[str, ...] = ()
    limits: Limits | None = None  # instead of those that manifests name

    @property
    def options(self) -> dict[str, JsonValue]:
        """The connector's own options."""
        return dict(self.model_extra or {})


class Place(_Closed):
    """A folder, relative to the file."""

    path: Path | None = None


class PolicyPlace(Place):
    """Where the Cedar texts are, what they may do, and who may approve targets nobody said.

    `observe` decides and records, and blocks nothing: for trying policies out.
    """

    mode: Mode = "enforce"
    lift_role: str | None = "approver"


class Extract(_Closed):
    """Whether a model may read texts in a run (`fn.extract`), and which one; none: it is off."""

    model: str | None = None
    tokens: int = Field(default=20_000, ge=1)  # of one call, its repair included


class Settings(BaseSettings):
    """Everything that an operator can set."""

    model_config = SettingsConfigDict(
        env_prefix="LAMGATE_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    database: Database = Database()
    server: Server = Server()
    allowance: Allowance = Allowance()
    workers: Workers = Workers()
    results: Results = Results()
    retention: Retention = Retention()
    planner: str = EMBEDDED  # or a name of [models]
    models: dict[str, ModelEntry] = {}
    connections: dict[str, Connection] = {}
    credentials: CredentialStore = CredentialStore()
    catalog: CatalogPlace = CatalogPlace()
    policy: PolicyPlace = PolicyPlace()
    playbooks: Place = Place()
    budgets: Budgets = Budgets()
    runs: Options = Options()
    extract: Extract = Extract()
    base_dir: Path = Path()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then the environment (never a `.env` file), then the file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    def at(self, path: Path) -> Path:
        """A path of the file, relative to where the file stands."""
        return path if path.is_absolute() else self.base_dir / path

    @property
    def database_url(self) -> str:
        """The database with its path made absolute."""
        prefix = "sqlite:///"
        if self.database.url.startswith(prefix):
            return prefix + str(self.at(Path(self.database.url.removeprefix(prefix))).absolute())
        return self.database.url


def load_settings(file: Path | None) -> Settings:
    """Read a file, or `lamgate.toml` here if there is one; raises `ConfigurationError`."""
    path = file or Path(FILE)
    if file is not None and not file.exists():
        raise ConfigurationError(f"there is no file {file}")
    reading = type("_File", (Settings,), {"model_config": _config(path), "__module__": __name__})
    try:
        made: Any = reading(base_dir=path.absolute().parent)
    except ValidationError as error:
        raise ConfigurationError(_flaws(path, error)) from error
    except SettingsError as error:
        name = _variable(tuple(str(error).split('"')[1:2]))
        told = f"{name}: this is no JSON; one member of it is said as {name}__MEMBER"
        raise ConfigurationError(told) from error
    except ValueError as error:
        raise ConfigurationError(f"{path}: {error}") from error
    settings: Settings = made
    require_known(settings.database.url)
    public = settings.server.public_url
    if public is not None and not public.startswith(("https://", "http://")):
        raise ConfigurationError(f"{path}: server.public_url: {public!r} is no http address")
    if EMBEDDED in settings.models:
        raise ConfigurationError(f"{path}: models.{EMBEDDED}: the name of the embedded planner")
    if taken := settings.connections.keys() & {EMBEDDED, "fn"}:
        raise ConfigurationError(f"{path}: connections.{min(taken)}: a name of the plan language")
    if settings.planner != EMBEDDED and settings.planner not in settings.models:
        raise ConfigurationError(
            f"{path}: planner: {settings.planner!r} is neither `playbooks` nor one of [models]"
        )
    if settings.extract.model is not None and settings.extract.model not in settings.models:
        raise ConfigurationError(
            f"{path}: extract.model: {settings.extract.model!r} is none of [models]"
        )
    return settings


def require_known(database: str, said_as: str = "database.url") -> None:
    """Raise `ConfigurationError` for the address of a database that there cannot be."""
    if not database.startswith(("sqlite:///", "postgresql://", "postgresql+psycopg://")):
        raise ConfigurationError(
            f"{said_as}: {database.partition('://')[0]!r} is not known; write sqlite:///path or "
            "postgresql://user@host/database"
        )
    if database == "sqlite:///":
        raise ConfigurationError(f"{said_as}: it names no file; write sqlite:///path")


def _flaws(path: Path, error: ValidationError) -> str:
    """Everything that is wrong, each with its place in the file or in the environment."""
    said = {name.upper() for name in os.environ}
    told = dict[str, list[str]]()
    for each in error.errors(include_url=False, include_input=False):
        place = tuple(map(str, each["loc"]))
        is_ours = _variable(place) in said
        flaw = _flaw(_variable(place) if is_ours else ".".join(place), place, each)
        told.setdefault("the environment" if is_ours else str(path), []).append(flaw)
    return "; ".join(f"{where}: {'; '.join(flaws)}" for where, flaws in told.items())


def _flaw(name: str, place: tuple[str, ...], flaw: ErrorDetails) -> str:
    match flaw["type"]:
        case "extra_forbidden":
            close = difflib.get_close_matches(place[-1], _members(place[:-1]), n=1)
            hint = f", did you mean {close[0]}?" if close else ""
            return f"{name}: there is no such setting{hint}"
        case "missing":
            return f"{name}: it is missing"
        case "tuple_type":
            return f"{name}: write a list, [...]"
        case _:
            return f"{name}: {flaw['msg']}"


def _members(place: tuple[str, ...]) -> list[str]:
    """The settings that there are at a place."""
    found: object = Settings
    for part in place:
        fields = found.model_fields if _is_model(found) else {}
        found = fields[part].annotation if part in fields else next(reversed(get_args(found)), None)
    return [*found.model_fields] if _is_model(found) else []


def _is_model(found: object) -> TypeGuard[type[BaseModel]]:
    return isinstance(found, type) and issubclass(found, BaseModel)


def _variable(place: tuple[str, ...]) -> str:
    """The variable of the environment that says a setting."""
    return "LAMGATE_" + "__".join(place).upper()


def _config(path: Path) -> SettingsConfigDict:
    return SettingsConfigDict(
        env_prefix="LAMGATE_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        toml_file=path,
    )
