"""`lamgate`, and `python -m gateway`."""


def main() -> None:
    """Run the command line."""
    from gateway.cli.main import run

    run()


if __name__ == "__main__":
    main()
