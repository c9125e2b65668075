"""Signatures of what a webhook sends, as Standard Webhooks has them (standardwebhooks.com, version 1).

A receiver that has the secret knows by them who sent a message, that it is as it was sent, and, since the
time is signed too, that it is not an old one sent again.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

import voeflow

#: What a secret begins with whose bytes are given in base64.
_PREFIX = "whsec_"

#: The shortest secret, in bytes: as long as Standard Webhooks asks for, 192 bits.
SECRET_MIN = 24


def key_of(secret: voeflow.Secret) -> bytes:
    """Give a secret's bytes: those that `whsec_` and base64 stand for, or else those of the text itself.

    Raises:
        ValueError: it is no base64, or too short to keep anything secret.
    """
    text = secret.reveal()
    if text.startswith(_PREFIX):
        try:
            key = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
        except binascii.Error:
            raise ValueError(f"expected base64 after {_PREFIX}") from None
    else:
        key = text.encode()
    if len(key) < SECRET_MIN:
        raise ValueError(
            f"expected at least {SECRET_MIN} bytes, got {len(key)}; try: openssl rand -base64 32"
        )
    return key


def signed(key: bytes, message: str, now: float, body: bytes) -> dict[str, str]:
    """Give the headers that sign a message.

    Args:
        key: the secret's bytes.
        message: an id that is the same at every repeat, by which a receiver knows one.
        now: when it is sent, in seconds of Unix time.
        body: what is sent.
    """
    stamp = str(int(now))
    what = message.encode() + b"." + stamp.encode() + b"." + body
    signature = base64.b64encode(hmac.new(key, what, hashlib.sha256).digest()).decode()
    return {"webhook-id": message, "webhook-timestamp": stamp, "webhook-signature": f"v1,{signature}"}
