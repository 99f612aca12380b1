"""What the demonstration stands on: shop, gateway and recorded model, each a process of its own."""

import importlib.util
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, ModuleType

from connectors.spec import JsonObject
from gateway.cli.client import Client
from gateway.cli.problem import CliError
from gateway.demo.config import FILE, shop_dir, write_config
from gateway.demo.process import Program, failed
from gateway.demo.shop import ShopWindow
from gateway.private import operator_key_file, read_private, write_private

LOOK_S = 0.05
KEYS = "keys.json"
REQUESTER, APPROVER = "requester", "approver"
RECORDED, LIVE = "recorded", "live"  # the names that [models] would have
MODEL_TIMEOUT_S = 120
# Which provider's key makes act two plan with a live model, and which model that is.
PROVIDERS = {
    "ANTHROPIC_API_KEY": "anthropic/claude-sonnet-4-5",
    "OPENAI_API_KEY": "openai/gpt-5.1",
    "GEMINI_API_KEY": "gemini/gemini-2.5-pro",
    "MISTRAL_API_KEY": "mistral/mistral-large-latest",
    "DEEPSEEK_API_KEY": "deepseek/deepseek-chat",
}
LIVE_MODEL = "LAMGATE_DEMO_MODEL"


@dataclass
class Stage:
    """Everything that is running, and where it keeps its things."""

    data: Path
    shop: ShopWindow
    models: JsonObject
    gateway: Program
    address: str
    requester: Client
    approver: Client

    @property
    def live_model(self) -> str | None:
        """The provider's model that plans in act two, if there is a key for one."""
        found = self.models.get(LIVE)
        return str(found["model"]) if isinstance(found, dict) else None

    def kill_gateway(self) -> None:
        """End the gateway as a power cut would."""
        self.gateway.kill()
        self._part()

    def start_gateway(self) -> None:
        """Start the gateway again on the same database."""
        self.gateway = _gateway(self.data, self.models)
        self.address = self.gateway.address()
        self.requester, self.approver = _people(self.data, self.address)

    def close(self) -> None:
        """End the gateway politely, if it runs."""
        self._part()
        self.gateway.stop()

    def _part(self) -> None:
        self.requester.close()
        self.approver.close()


@contextmanager
def stage(data: Path, *, has_models: bool = True) -> Iterator[Stage]:
    """Start everything on a folder, new or used before, and end it all in the end."""
    source = shop_dir()
    data.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        stack.enter_context(_ending_on_sigterm())
        recorded = None
        if has_models:
            replies = str(source / "recorded" / "plate_set.json")
            recorded = Program(["planner.scripted", "--replies", replies], data / "model.log")
            stack.callback(recorded.kill)
        start = _module(source / "start.py")
        try:
            shop = stack.enter_context(start.start_shop(data / "shop"))
        except start.ShopError as error:
            raise failed(str(error), data) from error
        window = ShopWindow(shop.urls)
        ports = {service: _port(url) for service, url in {**shop.urls, "smtp": shop.smtp}.items()}
        write_config(source, data, ports, window.document())
        models = _models(recorded.address()) if recorded else {}
        gateway = _gateway(data, models)
        stack.callback(gateway.kill)
        address = gateway.address()
        running = Stage(data, window, models, gateway, address, *_people(data, address))
        stack.callback(running.close)
        yield running


def wait_until(condition: Callable[[], bool], what: str, where: Path, seconds: float = 60) -> None:
    """Look again and again until something is so; raises `CliError`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise failed(f"this did not happen in {seconds:g} s: {what}", where)
        time.sleep(LOOK_S)


def _gateway(data: Path, models: JsonObject) -> Program:
    words = ["gateway", "serve", "--config", str(data / FILE), "--port", "0", "--until-stdin-ends"]
    # What plans in the demonstration is no part of the file, which outlives it.
    return Program(words, data / "gateway.log", {"LAMGATE_MODELS": json.dumps(models)})


def _models(url: str) -> JsonObject:
    """The recorded model, and a provider's where the environment holds its key; both by litellm."""
    common: JsonObject = {"adapter": "litellm", "timeout_s": MODEL_TIMEOUT_S}
    models: JsonObject = {RECORDED: common | {"model": "openai/recorded", "base_url": url}}
    for name, model in PROVIDERS.items():
        if os.environ.get(name):
            chosen = os.environ.get(LIVE_MODEL) or model
            return models | {LIVE: common | {"model": chosen, "api_key": f"env:{name}"}}
    return models


def _people(data: Path, address: str) -> tuple[Client, Client]:
    """Somebody who asks and somebody who approves, each with a key of their own."""
    file = data / KEYS
    if not file.exists():
        key_file = operator_key_file(data / "var" / "lamgate.db")
        operator = Client(address, read_private(key_file) or "")
        made = {
            role: operator.post("/v1/keys", {"principal": f"{role}-1", "roles": [role]})["secret"]
            for role in (REQUESTER, APPROVER)
        }
        operator.close()
        write_private(file, json.dumps(made), replace=True)
    keys: dict[str, str] = json.loads(read_private(file) or "{}")
    return Client(address, keys[REQUESTER]), Client(address, keys[APPROVER])


def _module(path: Path) -> ModuleType:
    if importlib.util.find_spec("aiosmtpd") is None:
        what, fix = "the shop's mail needs aiosmtpd", "Install it: pip install 'lamgate[demo]'"
        raise CliError("demo-incomplete", what, fix=fix)
    spec = importlib.util.spec_from_file_location("lamgate_demo_shop", path)
    assert spec is not None and spec.loader is not None  # noqa: S101, PT018 - the file exists
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _port(address: str) -> str:
    return address.rpartition(":")[2]


@contextmanager
def _ending_on_sigterm() -> Iterator[None]:
    """Have SIGTERM end the demo as Ctrl-C does, so that no process of it stays."""

    def end(number: int, _: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
