"""Serves scripted models on loopback, on real sockets: one server, a path for each of them."""

import itertools
import json
import socket
import threading
from collections.abc import Callable, Iterator

import pytest
import uvicorn
from fastapi import FastAPI
from planner_cases import Scripted

from connectors.spec import JsonObject
from planner.scripted import build, read_script


@pytest.fixture(scope="session")
def serve() -> Iterator[Callable[[FastAPI], str]]:
    """Serves applications, each under its own path, and stops with the last test."""
    every = FastAPI()
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(every, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    numbers = itertools.count(1)

    def start(app: FastAPI) -> str:
        path = f"/{next(numbers)}"
        every.mount(path, app)
        return f"http://127.0.0.1:{listener.getsockname()[1]}{path}"

    yield start
    server.should_exit = server.force_exit = True
    thread.join(10)


@pytest.fixture
def scripted(serve: Callable[[FastAPI], str]) -> Callable[..., Scripted]:
    """A model that answers with these replies, one after the other."""

    def start(*replies: JsonObject) -> Scripted:
        return Scripted(serve(build(read_script(json.dumps(replies)))) + "/v1")

    return start
