"""Secrets by reference: `env:NAME`; a secret is read when it is used and kept nowhere else."""

import os

from connectors.errors import ConfigurationError


def secret_of(reference: str) -> str:
    """The secret behind a reference; raises `ConfigurationError`."""
    kind, _, name = reference.partition(":")
    if kind != "env" or not name:
        raise ConfigurationError(f"{reference!r} is no reference to a secret; write env:NAME")
    secret = os.environ.get(name)
    if not secret:
        raise ConfigurationError(f"the environment has no {name}; set it to the service's secret")
    return secret
