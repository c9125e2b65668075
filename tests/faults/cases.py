"""The cases by name, and how much is tried of each."""

from __future__ import annotations

from collections.abc import Mapping

from faults.disks import refuse_to_write
from faults.kills import kill_at_random
from faults.mails import mistreat_mail
from faults.outcome import Case, Effort

CASES: Mapping[str, Case] = {"kill": kill_at_random, "disk": refuse_to_write, "mail": mistreat_mail}


def short(seed: int) -> Effort:
    """Give what the ordinary suite tries: seconds of each."""
    return Effort(
        seed=seed,
        kills=6,
        outages=1,
        outage_tries=20,
        mails=20,
        mail_down=0.5,
        subscriber_time=2.0,
        stored=20_000,
        measurements=1,
    )


def full(seed: int) -> Effort:
    """Give what `make faults` tries: a few minutes of all."""
    return Effort(
        seed=seed,
        kills=100,
        outages=3,
        outage_tries=200,
        mails=150,
        mail_down=3.0,
        subscriber_time=8.0,
        stored=200_000,
        measurements=3,
    )


def soak(seed: int) -> Effort:
    """Give what `make soak` tries: ten minutes of all."""
    return Effort(
        seed=seed,
        kills=250,
        outages=8,
        outage_tries=500,
        mails=500,
        mail_down=10.0,
        subscriber_time=30.0,
        stored=1_000_000,
        measurements=5,
    )
