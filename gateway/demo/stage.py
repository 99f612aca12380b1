"""What the demonstration stands on: shop, gateway and scripted model, each a process of its own."""

import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, ModuleType

from gateway.auth import read_key_file
from gateway.cli.client import Client
from gateway.cli.problem import CliError
from gateway.demo.shop import ShopWindow

READY_WITHIN_S = 60.0
LOOK_S = 0.05
CONFIG, KEYS, LOG = "lamgate.toml", "keys.json", "gateway.log"
COPIED = ("overlays", "playbooks", "policies")
RECORDED = "recorded"
# Which provider's key makes act two plan with a live model, and which model that is.
PROVIDERS = {
    "ANTHROPIC_API_KEY": "anthropic/claude-sonnet-4-5",
    "OPENAI_API_KEY": "openai/gpt-5.1",
    "GEMINI_API_KEY": "gemini/gemini-2.5-pro",
    "MISTRAL_API_KEY": "mistral/mistral-large-latest",
    "DEEPSEEK_API_KEY": "deepseek/deepseek-chat",
}
LIVE_MODEL = "LAMGATE_DEMO_MODEL"
SHOP_KEYS = {"SHOP_MINOR_KEY": "sk_shop_minor", "SHOP_DECIMAL_KEY": "shop-decimal-key"}
# The shop's fixed ports, as its lamgate.toml has them, and whose they are.
PORTS = {"8711": "orders", "8712": "pay_minor", "8713": "pay_decimal", "8714": "mail"}
SMTP_PORT = "8715"


@dataclass
class Stage:
    """Everything that is running, and where it keeps its things."""

    data: Path
    shop: ShopWindow
    model: str
    gateway: "subprocess.Popen[str]"
    requester: Client
    approver: Client

    @property
    def is_model_live(self) -> bool:
        """Whether a provider's model plans in act two."""
        return self.model != RECORDED

    def kill_gateway(self) -> None:
        """End the gateway as a power cut would: SIGKILL."""
        self.gateway.kill()
        self._leave()

    def start_gateway(self) -> None:
        """Start the gateway again on the same database."""
        self.gateway, address = _start_gateway(self.data)
        self.requester, self.approver = _people(self.data, address)

    def stop_gateway(self) -> None:
        """End the gateway politely, if it runs."""
        if self.gateway.poll() is None:
            self.gateway.terminate()
        self._leave()

    def _leave(self) -> None:
        self.requester.close()
        self.approver.close()
        _end(self.gateway)


@contextmanager
def stage(data: Path, *, with_model: bool = True) -> Iterator[Stage]:
    """Start everything on a folder, new or used before, and stop it at the end."""
    source = shop_dir()
    data.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        stack.enter_context(_ending_on_sigterm())
        start = _module(source / "start.py")
        try:
            shop = stack.enter_context(start.start_shop(data / "shop"))
        except start.ShopError as error:
            raise _failed(str(error), data) from error
        live = next((name for name in PROVIDERS if os.environ.get(name)), None)
        model, lines = RECORDED, ""
        if with_model and live is not None:
            model = os.environ.get(LIVE_MODEL) or PROVIDERS[live]
            lines = _model_lines(model, None, live)
        elif with_model:
            process, url = _start_model(source / "recorded" / "plate_set.json")
            stack.callback(_end, process, kill=True)
            lines = _model_lines("openai/recorded", url, None)
        _write_config(source, data, shop.urls, shop.smtp, lines)
        gateway, address = _start_gateway(data)
        stack.callback(_end, gateway, kill=True)
        running = Stage(data, ShopWindow(shop.urls), model, gateway, *_people(data, address))
        stack.callback(running.stop_gateway)
        yield running


def shop_dir() -> Path:
    """The shop, in the checkout or in the installed distribution."""
    here = Path(__file__).resolve().parent
    for found in (here.parent.parent / "examples" / "shop", here / "shop"):
        if (found / "start.py").exists():
            return found
    raise CliError(
        "demo-incomplete", "the shop's files are missing", str(here), "Run it from a checkout."
    )


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 30.0) -> None:
    """Look again and again until something is so; raises `CliError`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise CliError("demo-failed", f"this did not happen in {seconds:g} s: {what}")
        time.sleep(LOOK_S)


def environment(given: Mapping[str, str]) -> dict[str, str]:
    """What the demo's processes are told: nothing of another gateway's settings, no proxy."""
    kept = {name: value for name, value in given.items() if not name.startswith("LAMGATE_")}
    loopback = "127.0.0.1,localhost"
    for name in ("NO_PROXY", "no_proxy"):
        kept[name] = f"{kept[name]},{loopback}" if kept.get(name) else loopback
    return {**SHOP_KEYS, **kept}


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


def _model_lines(model: str, url: str | None, key: str | None) -> str:
    lines = ["", "[models.planner]", 'adapter = "litellm"', f"model = {json.dumps(model)}"]
    lines += [f'base_url = "{url}"'] if url else []
    lines += [f'api_key = "env:{key}"'] if key else []
    return "\n".join(lines) + "\n"


def _write_config(
    source: Path, data: Path, urls: Mapping[str, str], smtp: str, model_lines: str
) -> None:
    """The shop's own configuration, with the ports that were free."""
    for folder in COPIED:
        shutil.copytree(source / folder, data / folder, dirs_exist_ok=True)
    ports = {fixed: urls[service].rpartition(":")[2] for fixed, service in PORTS.items()}
    ports[SMTP_PORT] = smtp.rpartition(":")[2]
    text = (source / CONFIG).read_text(encoding="utf-8")
    text = re.sub(r"(?<=127\.0\.0\.1:)\d+", lambda found: ports[found.group()], text)
    (data / CONFIG).write_text(text + model_lines, encoding="utf-8")


def _start_gateway(data: Path) -> tuple["subprocess.Popen[str]", str]:
    words = ["-m", "gateway", "serve", "--config", str(data / CONFIG), "--port", "0"]
    with (data / LOG).open("a") as log:
        process = _process(words, log.fileno())
    return process, _ready(process, data)


def _start_model(replies: Path) -> tuple["subprocess.Popen[str]", str]:
    process = _process(["-m", "planner.scripted", "--replies", str(replies)], subprocess.DEVNULL)
    return process, _ready(process, replies)


def _process(words: list[str], stderr: int) -> "subprocess.Popen[str]":
    """A program of ours in a session of its own: Ctrl-C is for the demo, which ends them all."""
    return subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        env=environment(os.environ),
        start_new_session=True,
    )


def _ready(process: "subprocess.Popen[str]", where: Path) -> str:
    """Wait for the line `ready ADDRESS`."""
    lines: list[str] = []
    output = process.stdout
    assert output is not None  # noqa: S101 - it was opened as a pipe
    reader = threading.Thread(target=lambda: lines.append(output.readline()), daemon=True)
    reader.start()
    reader.join(READY_WITHIN_S)
    if not lines or not lines[0].startswith("ready "):
        _end(process, kill=True)
        log = where / LOG
        said = log.read_text(errors="replace").strip() if log.exists() else ""
        raise _failed(said or "a process did not start", where)
    return lines[0].split()[1]


def _people(data: Path, address: str) -> tuple[Client, Client]:
    """Somebody who asks and somebody who approves, each with a key of their own."""
    file = data / KEYS
    if not file.exists():
        operator = Client(address, read_key_file(data / "var" / "lamgate.db.operator-key") or "")
        made = {
            role: operator.post("/v1/keys", {"principal": f"{role}-1", "roles": [role]})["secret"]
            for role in ("requester", "approver")
        }
        operator.close()
        file.touch(mode=0o600)
        file.write_text(json.dumps(made))
    keys = json.loads(file.read_text())
    return Client(address, keys["requester"]), Client(address, keys["approver"])


def _end(process: "subprocess.Popen[str]", *, kill: bool = False) -> None:
    if kill and process.poll() is None:
        process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()


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


def _failed(what: str, where: Path) -> CliError:
    return CliError("demo-failed", what, str(where), "What the processes said is in this folder.")
