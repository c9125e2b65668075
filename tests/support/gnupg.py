"""GnuPG as authors have it: keys, signatures at any date, and the ways in which packets carry them."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import attrs


@attrs.frozen
class GnuPG:
    """A home of GnuPG's, with secret keys without passwords."""

    home: Path

    def __call__(self, *words: str, given: bytes = b"", at: str | None = None) -> bytes:
        """Run gpg.

        Args:
            words: its options and arguments.
            given: its standard input.
            at: the time that it is to take for now, as `20200101T000000`.
        """
        when = () if at is None else ("--faked-system-time", f"{at}!")
        alone = ("--batch", "--yes", "--pinentry-mode", "loopback", "--passphrase", "")
        done = subprocess.run(
            ["gpg", "--homedir", str(self.home), *alone, *when, *words],
            input=given,
            capture_output=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr.decode(errors="replace")
        return done.stdout

    def make(
        self, user_id: str, *, algorithm: str = "ed25519", lasts: str = "0", at: str | None = None
    ) -> str:
        """Make a key that signs, and give its fingerprint, in upper case."""
        self("--quick-gen-key", user_id, algorithm, "sign", lasts, at=at)
        listed = self("--with-colons", "--list-keys", f"={user_id}").decode()
        return re.findall(r"^fpr:+([0-9A-F]+):", listed, re.MULTILINE)[-1]

    def public(self, key: str) -> bytes:
        return self("--armor", "--export", key)

    def secret(self, key: str) -> bytes:
        return self("--armor", "--export-secret-keys", key)

    def revoke(self, key: str) -> None:
        prepared = (self.home / "openpgp-revocs.d" / f"{key}.rev").read_bytes()
        self("--import", given=prepared.replace(b":-----BEGIN", b"-----BEGIN"))

    def detached(
        self, data: bytes, *keys: str, at: str | None = None, options: tuple[str, ...] = ()
    ) -> bytes:
        users = [word for key in keys for word in ("--local-user", key)]
        return self(*options, *users, "--armor", "--detach-sign", given=data, at=at)

    def clear(self, data: bytes, key: str) -> bytes:
        return self("--local-user", key, "--clearsign", given=data)


@contextmanager
def gnupg() -> Iterator[GnuPG]:
    """Give a new home; its agent is ended with it. The path of its socket must be short."""
    with TemporaryDirectory(prefix="gpg") as home:
        Path(home).chmod(0o700)
        (Path(home) / "gpg-agent.conf").write_text("s2k-count 65536\n")  # else a passphrase takes seconds
        try:
            yield GnuPG(Path(home))
        finally:
            subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], check=False, capture_output=True)


def in_comment(armour: bytes) -> bytes:
    """Write an armoured signature as the comment that Comet's appendix describes."""
    return b"<!--\n" + armour.replace(b"-----", b"=====") + b"\n-->"


def clear_signed(signed: bytes, *, declaration: bytes = b'<?xml version="1.0" encoding="UTF-8"?>\n') -> bytes:
    """Write what `gpg --clearsign` made of `-->`, an element and `<!--` as a packet after Denny's Note."""
    return declaration + b"<!--\n" + signed.replace(b"-----", b"=====") + b"-->\n"
