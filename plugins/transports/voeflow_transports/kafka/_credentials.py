"""What is wrong with credentials, for every transport that has some."""

from __future__ import annotations

import voeflow


class CredentialError(voeflow.VoeflowError):
    """Credentials that are not there or cannot be used; the message says which, and where to get some."""
