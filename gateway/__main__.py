"""`lamgate`, and `python -m gateway`."""

import sys

INTERRUPTED = 130  # as a shell says it of Ctrl-C


def main() -> None:
    """Run the command line; Ctrl-C ends it without a word, also while it is still being loaded."""
    try:
        from gateway.cli.main import run

        run()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
