"""A way to a server that loses what it was told to lose: a request, or the answer to it."""

import asyncio
from dataclasses import dataclass
from typing import Literal

Cut = Literal["before", "during", "after", "silent", ""]


@dataclass
class Way:
    """A way to a port of loopback on which what bears the mark goes wrong, once.

    `before`: it never arrives. `during`: it arrives, and the connection is lost at once.
    `after`: it arrives, and its answer is lost with the connection. `silent`: it arrives, and no
    answer comes back.
    """

    target: int
    cut: Cut = ""
    mark: bytes = b"COMMIT"
    port: int = 0
    cuts: int = 0

    async def serve(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        """Pass one connection on."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.target)
        swallowing = asyncio.Event()

        async def answers() -> None:
            while piece := await reader.read(65536):
                if swallowing.is_set():
                    answered.set()
                else:
                    back.write(piece)
                    await back.drain()

        answered = asyncio.Event()
        passing = asyncio.create_task(answers())
        try:
            while piece := await near.read(65536):
                if self.cut and self.mark in piece:
                    cut, self.cut, self.cuts = self.cut, "", self.cuts + 1
                    if cut == "before":
                        break
                    swallowing.set()
                    writer.write(piece)
                    await writer.drain()
                    if cut == "during":
                        break
                    await answered.wait()
                    if cut == "after":
                        break
                    continue
                writer.write(piece)
                await writer.drain()
        finally:
            passing.cancel()
            back.transport.abort()
            writer.transport.abort()
