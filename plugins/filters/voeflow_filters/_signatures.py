"""Whether a packet's OpenPGP signatures are good, and if not, why not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

import attrs

import voeflow

from ._keyring import Key, find
from ._signature_blocks import MAX_SIGNATURES, Block, blocks_of

if TYPE_CHECKING:
    from pysequoia import Sig

_T = TypeVar("_T")

#: How far a signer's clock may be ahead of ours. Sequoia itself allows for as much.
SKEW = timedelta(minutes=30)

#: What is wrong, the more telling first: where a packet has several signatures, one of these is told.
FAULTS = (
    "wrong author",
    "too old",
    "revoked key",
    "expired key",
    "expired signature",
    "not yet valid",
    "weak signature",
    "wrong signature",
    "unknown key",
    "unreadable signature",
    "not signed",
)

#: Hash functions for which collisions can be made, so that a signature over one text fits another.
_WEAK = ("MD5", "RipeMD", "SHA1")


@attrs.frozen
class Finding:
    """What became of one signature.

    Attributes:
        key: whose it is, where that is known.
        made: when it says it was made, in UTC, or None.
        fault: one of `FAULTS`, or empty for a good one.
        detail: what is wrong, in words.
    """

    key: Key | None
    made: datetime | None
    fault: str = ""
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.fault}: {self.detail}" if self.detail else self.fault


def findings(event: voeflow.Event, keys: Sequence[Key], now: datetime) -> Iterator[Finding]:
    """Look at a packet's signatures, at most `MAX_SIGNATURES`, against a keyring.

    Args:
        event: the packet.
        keys: those whose signatures count.
        now: the time to judge by, in UTC. (Sequoia judges by the machine's clock.)

    Returns:
        One finding for each; one that says so where there is none.
    """
    blocks = blocks_of(event)
    if not blocks:
        yield Finding(None, None, "not signed", "it has no OpenPGP signature after its element")
    left = MAX_SIGNATURES
    for block in blocks:
        if not block.packets:
            yield Finding(
                None, None, "unreadable signature", "what its comment holds is no OpenPGP signature"
            )
        for packet in block.packets[:left]:
            left -= 1
            yield _judge(packet, block, event, keys, now)


def _judge(packet: bytes, block: Block, event: voeflow.Event, keys: Sequence[Key], now: datetime) -> Finding:
    from pysequoia import Sig

    try:
        signature = _guarded(lambda: Sig.from_bytes(packet))
        issuer = signature.issuer_fingerprint or signature.issuer_key_id
        made, expires = signature.created, signature.expiration
        weak = str(signature.hash_algorithm).rpartition(".")[2]
    except _UnreadableError:
        return Finding(None, None, "unreadable signature", "it is damaged, or of a kind that is not known")
    except (ValueError, OverflowError, RuntimeError):  # a date beyond those of Python
        return Finding(None, None, "unreadable signature", "its dates are none")
    if issuer is None:
        return Finding(None, made, "unknown key", "it does not say which key made it")
    key = find(keys, issuer)
    if key is None:
        return Finding(None, made, "unknown key", f"{issuer.upper()} is not in the keyring")
    if made is None:
        return Finding(key, made, "unreadable signature", "it does not say when it was made")
    good = _fits(signature, block, event, key)
    fault, detail = _fault(key, issuer, made, expires, weak, good=good, now=now)
    return Finding(key, made, fault, detail)


def _fault(
    key: Key, issuer: str, made: datetime, expires: datetime | None, weak: str, *, good: bool, now: datetime
) -> tuple[str, str]:
    """Say what is wrong with a signature of a known key. What a bad one says of itself may be a lie."""
    begun = next((when for fingerprint, when in key.made if fingerprint == issuer), None)
    if key.revoked:
        return "revoked key", f"{key} was revoked"
    if key.expires is not None and key.expires <= now:
        when = "after" if made > key.expires else "before"
        return "expired key", f"{key} expired on {_day(key.expires)}; it was signed {when} that"
    if expires is not None and expires <= now:
        return "expired signature", f"that of {key} expired at {_time(expires)}"
    if made > now + SKEW:
        return "not yet valid", f"{key} signed it at {_time(made)}, which is in the future: is a clock wrong?"
    if begun is not None and made < begun:
        return "wrong signature", f"it was signed at {_time(made)}, before {key} was made"
    if weak in _WEAK:
        return "weak signature", f"{key} signed with {weak}, which can be forged; SHA-256 is accepted"
    if not good:
        return "wrong signature", (
            f"that of {key} does not fit the event, which was changed, or the key cannot sign, or is too weak"
        )
    return "", ""


def _fits(signature: Sig, block: Block, event: voeflow.Event, key: Key) -> bool:
    from pysequoia import verify

    for text in (event.element, *block.clear):

        def check(text: bytes = text) -> object:
            return verify(bytes=text, store=lambda _: [key.certificate], signature=signature)

        try:
            _guarded(check)
        except _UnreadableError:
            continue
        return True
    return False


class _UnreadableError(Exception):
    """The library did not take it; why, it says in words that are not for users."""


def _guarded(call: Callable[[], _T]) -> _T:
    try:
        return call()
    except Exception as error:
        raise _UnreadableError from error
    except BaseException as error:
        # what Rust calls a panic derives from BaseException, so as not to be caught; a packet made it
        if type(error).__module__ != "pyo3_runtime":
            raise
        raise _UnreadableError from error


def _day(when: datetime) -> str:
    return f"{when.astimezone(UTC):%Y-%m-%d}"


def _time(when: datetime) -> str:
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
