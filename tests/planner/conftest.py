"""Serves scripted models on loopback, on real sockets."""

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


@pytest.fixture
def serve() -> Iterator[Callable[[FastAPI], str]]:
    """Serves applications on loopback, on real sockets, and stops them."""
    running: list[tuple[uvicorn.Server, threading.Thread]] = []

    def start(app: FastAPI) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        running.append((server, thread))
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield start
    for server, thread in running:
        server.should_exit = server.force_exit = True
        thread.join(10)


@pytest.fixture
def scripted(serve: Callable[[FastAPI], str]) -> Callable[..., Scripted]:
    """A model that answers with these replies, one after the other."""

    def start(*replies: JsonObject) -> Scripted:
        return Scripted(serve(build(read_script(json.dumps(replies)))) + "/v1")

    return start
