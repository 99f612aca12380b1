"""Ports of loopback for servers that tests start, which cannot be told to choose one themselves.

A port that was only seen to be free may be another's before the server listens there; and that one
answers in its place. So these are below those that a system gives to whoever asks for any, and each
is locked until the process ends that was given it.
"""

import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path

_PORTS = range(20_000, 30_000)
_LOCKS = Path(tempfile.gettempdir()) / f"lamgate-ports-{os.getuid()}"
_held: list[int] = []  # files whose locks are ours


def free_port() -> int:
    """A port that nobody listens on, and that no other process of tests is given meanwhile."""
    _LOCKS.mkdir(exist_ok=True)
    for port in random.sample(_PORTS, len(_PORTS)):
        if _is_ours(port):
            return port
    raise AssertionError("every port is taken")


def _is_ours(port: int) -> bool:
    lock = os.open(_LOCKS / str(port), os.O_CREAT | os.O_RDWR)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with socket.create_server(("127.0.0.1", port)):
            _held.append(lock)
            return True
    except OSError:
        os.close(lock)
        return False
