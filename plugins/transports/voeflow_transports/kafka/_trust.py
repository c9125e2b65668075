"""Which certificates to trust where librdkafka does not find those of the machine itself.

librdkafka looks for the authority of a broker in the usual places, but not for that of a token endpoint: the
libcurl in confluent-kafka's wheels knows the place of one family of Linux only (seen with 2.16).
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

#: Where systems keep what they trust, in one file: Debian, Red Hat, Alpine and macOS, SUSE, FreeBSD.
_PLACES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
    "/etc/ssl/ca-bundle.pem",
    "/usr/local/share/certs/ca-root-nss.crt",
)


def trusted_certificates(environ: Mapping[str, str]) -> str:
    """Find the file of certificates that this machine trusts.

    Args:
        environ: the environment; `SSL_CERT_FILE` in it counts first, as for OpenSSL.

    Returns:
        Its path, or that of certifi's where that is installed and the machine has none, or nothing.
    """
    given = environ.get("SSL_CERT_FILE", "")
    own = ssl.get_default_verify_paths().cafile or ""
    for place in (given, *_PLACES, own):
        if place and Path(place).is_file():
            return place
    try:
        return str(import_module("certifi").where())
    except ImportError:
        return ""


def trust(environ: Mapping[str, str]) -> dict[str, str]:
    """Give librdkafka's settings that make it trust what the machine trusts."""
    path = trusted_certificates(environ)
    return {"ssl.ca.location": path, "https.ca.location": path} if path else {}
