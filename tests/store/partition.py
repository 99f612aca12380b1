"""A network between a process and its database that can be held up, or cut."""

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

PIECE = 65_536


@dataclass
class Network:
    """Passes bytes on; `hold` keeps them back and `cut` resets every connection."""

    target: int
    listening: socket.socket
    flows: threading.Event = field(default_factory=threading.Event)
    is_cut: bool = False
    refused: int = 0  # connections, while it was cut
    is_over: bool = False
    ends: list[socket.socket] = field(default_factory=list)
    lost: set[socket.socket] = field(default_factory=set)

    @property
    def port(self) -> int:
        return int(self.listening.getsockname()[1])

    def hold(self) -> None:
        self.flows.clear()

    def cut(self) -> None:
        self.is_cut = True
        for each in self.ends:
            _reset(each)
        self.ends.clear()

    def swallow(self) -> None:
        """Take what comes on the connections there are, and pass nothing of it on; new ones work.

        As after a machine in between has lost what it knew of them.
        """
        self.lost.update(self.ends)

    def heal(self) -> None:
        self.is_cut = False
        self.flows.set()

    def serve(self) -> None:
        while not self.is_over:
            try:
                near, _ = self.listening.accept()
            except OSError:
                return
            if self.is_cut:
                self.refused += 1
                _reset(near)
                continue
            try:
                far = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                _reset(near)
                continue
            self.ends += [near, far]
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._pass, args=(source, sink), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(PIECE):
                self.flows.wait()
                if source not in self.lost:
                    sink.sendall(piece)
        for each in (source, sink):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        source.close()


def _reset(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        end.shutdown(socket.SHUT_RDWR)
        end.close()


@contextmanager
def network(target: int) -> Iterator[Network]:
    """A way to a local port that can be disturbed."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        found = Network(target, listening)
        found.flows.set()
        serving = threading.Thread(target=found.serve, daemon=True)
        serving.start()
        try:
            yield found
        finally:
            found.is_over = True
            found.heal()
            listening.shutdown(socket.SHUT_RDWR)
            serving.join(5)
            found.cut()
