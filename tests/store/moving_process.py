"""Moves a file to a server, and kills itself once it has told so many tables."""

import os
import signal
import sys

from executor.store.move import move_to_server

left = int(sys.argv[3])


def told(_: str, __: int) -> None:
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)


move_to_server(sys.argv[1], sys.argv[2], told)
os.kill(os.getpid(), signal.SIGKILL)  # all is kept, and nobody was told so
