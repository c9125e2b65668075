"""The options of `voeflow send` and `voeflow listen` that say how TLS is spoken."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import attrs
import click

from ._secured import Secured
from ._tls import ClientTLS

_R = TypeVar("_R")

_FILE = click.Path(path_type=Path)


@attrs.frozen
class TLSOptions:
    """What a command was told of TLS.

    Attributes:
        options: None to speak without.
    """

    options: ClientTLS | None

    def towards(self, host: str) -> Secured | None:
        """Read the files, and say who the server at a host must be.

        Raises:
            click.UsageError: they cannot be read.
        """
        try:
            return self.options.towards(host) if self.options is not None else None
        except OSError as error:
            raise click.UsageError(str(error)) from None


def tls_options(command: Callable[..., _R]) -> Callable[..., _R]:
    """Give a command the options, and hand it what they say as `tls`."""

    @click.option("--tls", is_flag=True, help="Speak TLS, and verify the broker's certificate.")
    @click.option(
        "--ca",
        type=_FILE,
        metavar="FILE",
        help="Trust these certificates (PEM) instead of this machine's; with it, TLS is spoken.",
    )
    @click.option(
        "--cert", type=_FILE, metavar="FILE", help="Show this certificate (PEM); with it, TLS is spoken."
    )
    @click.option(
        "--key", "tls_key", type=_FILE, metavar="FILE", help="Its private key (PEM), if not in the same file."
    )
    @click.option(
        "--server-name",
        default="",
        metavar="NAME",
        help="The name that the broker's certificate must have; its host's if left out.",
    )
    @functools.wraps(command)
    def with_tls(
        *args: object,
        tls: bool,
        ca: Path | None,
        cert: Path | None,
        tls_key: Path | None,
        server_name: str,
        **others: object,
    ) -> _R:
        return command(*args, tls=_read(tls, ca, cert, tls_key, server_name), **others)

    return with_tls


def _read(tls: bool, ca: Path | None, cert: Path | None, key: Path | None, server_name: str) -> TLSOptions:
    if not (tls or ca or cert or key or server_name):
        return TLSOptions(None)
    try:
        return TLSOptions(ClientTLS(ca=ca, certificate=cert, key=key, server_name=server_name))
    except ValueError as error:
        raise click.UsageError(str(error)) from None
