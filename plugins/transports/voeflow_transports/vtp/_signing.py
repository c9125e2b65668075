"""Signs packets for authors with OpenPGP: a comment is added, and no byte of the event is changed.

The signature is detached, over the `VOEvent` element from its first `<` to its last `>`, armoured, with
`=====` for the five dashes, in a comment right after the element: so says the appendix "OpenPGP Signatures,
Comet and VOEvents" of Comet's documentation (J. Swinbank, 2012). The other way in use, OpenPGP's cleartext
framework after Denny's IVOA Note of 2008, is read by the filter `signed` and not written: it puts `- ` before
lines that begin with a dash, and so would change some events.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import attrs

import voeflow

#: What is said where pysequoia is not installed.
MISSING = "--sign needs pysequoia, which is not installed: pip install 'voeflow[openpgp]'"


@attrs.frozen
class Signer:
    """A secret key that is ready to sign; `sign` may be called from any thread.

    Attributes:
        fingerprint: the key's, in upper-case hexadecimal digits.
    """

    fingerprint: str
    _sign: Callable[[bytes], bytes]

    def sign(self, raw: bytes) -> bytes:
        """Give a packet with a signature after its element; what stood around the element stays.

        Raises:
            voeflow.EventError: it is no VOEvent, or one whose encoding a comment cannot be added in.
        """
        event = voeflow.Event.parse(raw, max_bytes=max(len(raw), 1))
        element = event.element
        end = raw.rindex(element) + len(element)
        if b"VOEvent" not in element:
            raise voeflow.EventError("it is in UTF-16 or UTF-32: write it in UTF-8 to sign it")
        comment = b"<!--\n" + self._sign(element).replace(b"-----", b"=====").rstrip() + b"\n-->"
        signed = raw[:end] + comment + raw[end:]
        if voeflow.Event.parse(signed, max_bytes=len(signed)).element != element:
            raise voeflow.EventError("its element cannot be told from what stands after it")
        return signed


def read_signer(path: Path, passphrase: Callable[[], str]) -> Signer:
    """Read a secret key, armoured or not, as `gpg --export-secret-keys` writes it.

    Args:
        path: its file.
        passphrase: asked for the key's passphrase, if it has one.

    Raises:
        ValueError: it cannot be read, is no secret key, cannot sign, or the passphrase is not its own; or
            pysequoia is not installed.
    """
    try:
        from pysequoia import SignatureMode, Tsk, sign
        from pysequoia.packet import PacketPile, Tag
    except ImportError:
        raise ValueError(MISSING) from None
    try:
        content = path.read_bytes()
        secret = any(packet.tag == Tag.SecretKey for packet in PacketPile.from_bytes(content))
        key = Tsk.from_bytes(content) if secret else None
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror}") from None
    except RuntimeError:
        key = None
    if key is None:
        raise ValueError(
            f"{path} holds no secret OpenPGP key: expected what `gpg --armor --export-secret-keys KEY` writes"
        )
    try:
        signer = key.signer()
    except RuntimeError as error:
        if "encrypted" not in str(error).partition("\n")[0]:
            raise ValueError(f"the key in {path} cannot sign: it may be expired or revoked") from None
        try:
            signer = key.signer(passphrase())
        except RuntimeError:
            raise ValueError(f"the passphrase is not that of the key in {path}") from None
    return Signer(
        key.extract_certificate().fingerprint.upper(),
        lambda data: sign(signer, data, mode=SignatureMode.DETACHED),
    )
