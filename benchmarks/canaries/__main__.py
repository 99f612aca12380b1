"""Sends secrets through everything and looks for them in all that is left.

    .venv/bin/python -m benchmarks.canaries [--count 200]

A service quotes each secret in bodies, headers, messages, codes and broken answers, in sixteen
forms; people paste them, a model repeats them. Then every byte of the database's files, the HTTP
answers and streams, the prompts, the terminal and the logs (down to the wire) is searched.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.canaries.measure import measure


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.canaries", description=__doc__)
    parser.add_argument("--count", type=int, default=200)
    count = parser.parse_args().count
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(measure(count, Path(folder)))
    print(f"{'sink':10} {'bytes':>12} {'taken out':>10} {'found':>6}")
    for sink in sorted(found.bytes):
        print(f"{sink:10} {found.bytes[sink]:12,} {found.hidden[sink]:10,} {found.hits[sink]:6}")
    for each in found.where:
        print(each)
    travelled = f"{found.travelled} of {found.canaries} canaries travelled"
    print(f"{travelled}; {found.all_hits} found; {time.monotonic() - began:.0f} s")
    return 0 if not found.where and found.travelled == found.canaries else 1


if __name__ == "__main__":
    sys.exit(main())
