"""The cases by name, and how much is tried of each."""

from __future__ import annotations

from collections.abc import Mapping

from faults.clusters import share_the_work
from faults.disks import refuse_to_write
from faults.flood import flood
from faults.kills import kill_at_random
from faults.large import fill_the_store
from faults.links import break_links
from faults.mails import mistreat_mail
from faults.outages import outlast_outages
from faults.outcome import Case, Effort
from faults.reloads import reload_under_load
from faults.subscribers import crowd

CASES: Mapping[str, Case] = {
    "kill": kill_at_random,
    "link": break_links,
    "disk": refuse_to_write,
    "mail": mistreat_mail,
    "crowd": crowd,
    "large": fill_the_store,
    "reload": reload_under_load,
    "flood": flood,
    "cluster": share_the_work,
    "kafka": outlast_outages,
}


def short(seed: int) -> Effort:
    """Give what the ordinary suite tries: seconds of each."""
    return Effort(
        seed=seed,
        kills=4,
        link_kills=3,
        cut=1.5,
        outages=1,
        outage_tries=20,
        mails=20,
        mail_down=0.5,
        broadcast=200,
        stored=10_000,
        measurements=1,
        reloads=6,
        flood=(100, 25, 25),
        flood_seconds=2.0,
        shared=1200,
        kafka_down=3.0,
        produce_errors=20,
        renewals=1,
    )


def full(seed: int) -> Effort:
    """Give what `make faults` tries: a few minutes of all."""
    return Effort(
        seed=seed,
        kills=100,
        link_kills=30,
        cut=60.0,
        outages=3,
        outage_tries=200,
        mails=60,
        mail_down=3.0,
        broadcast=400,
        stored=200_000,
        measurements=3,
        reloads=100,
        flood=(2000, 500, 500),
        flood_seconds=30.0,
        shared=20_000,
        kafka_down=60.0,
        produce_errors=500,
        renewals=5,
    )


def soak(seed: int) -> Effort:
    """Give what `make soak` tries: ten minutes of all."""
    return Effort(
        seed=seed,
        kills=180,
        link_kills=50,
        cut=60.0,
        outages=6,
        outage_tries=500,
        mails=200,
        mail_down=10.0,
        broadcast=1500,
        stored=1_000_000,
        measurements=5,
        reloads=300,
        flood=(2000, 500, 500),
        flood_seconds=120.0,
        shared=50_000,
        kafka_down=60.0,
        produce_errors=2000,
        renewals=20,
    )
