"""Runs in the place of a local server before it does: narrows what it may do, then becomes it.

It is started as a file, by an interpreter that reads nothing from the environment, and imports
nothing of ours: `launch.py PARENT NAMES MEMORY FILES PROGRAM ARGUMENT...`.
"""

import ctypes
import os
import resource
import sys

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_SIGKILL = 9


def main() -> None:
    """Narrow, and become the server."""
    parent, names, memory, files, *argv = sys.argv[1:]
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _at_most(resource.RLIMIT_NOFILE, int(files))
    if int(memory):
        _at_most(resource.RLIMIT_AS, int(memory))
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        # It dies with the gateway, even if that is killed; and no file gives it another user.
        libc.prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        if os.getppid() != int(parent):
            os._exit(1)  # the gateway was gone before it could be tied to it
    # The interpreter itself may have set a locale; the server gets what was configured.
    given = {name: os.environ[name] for name in names.split(",") if name in os.environ}
    try:
        os.execve(argv[0], argv, given)  # noqa: S606 - no shell is what is wanted
    except OSError as error:
        sys.stderr.write(f"{argv[0]} cannot be started: {error.strerror}\n")
        os._exit(127)


def _at_most(what: int, most: int) -> None:
    hard = resource.getrlimit(what)[1]
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    resource.setrlimit(what, (most, most))


if __name__ == "__main__":
    main()
