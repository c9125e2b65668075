"""The packets that voeflow makes, against the schema of the IVOA, which the comet distribution carries."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from lxml import etree

import voeflow
from interop.stage import peers_packages
from support.notices import NAMES, Mapper, notice

pytestmark = pytest.mark.interop


@pytest.fixture(scope="module")
def ivoa() -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(peers_packages() / "comet/schema/VOEvent-v2.0.xsd"))


def test_what_is_composed_is_valid_by_the_ivoas_schema(ivoa: etree.XMLSchema) -> None:
    moment = datetime(2026, 11, 24, tzinfo=UTC)
    params = voeflow.Params([voeflow.Param("a", "1", "s", "time", "int", "A & b\n<c>")])
    packet = voeflow.compose(
        ivorn="ivo://org.example/stream#1",
        author="ivo://org.example/stream",
        date=moment,
        role="prediction",
        contact=voeflow.Contact("a", "b", "https://example.org", "c", "d", "e", "f"),
        description="Everything",
        params=params,
        groups=[voeflow.Group("g", "t", params, "Together")],
        position=voeflow.Position(359.5, -90, 1e-5),
        time=moment,
        time_error=0.5,
        observatory="Somewhere",
        how=["In words"],
        references=[voeflow.Reference("https://example.org/?a&b", "urn:x", "text/html")],
        why=voeflow.Why(1, moment, ("n",), ("c",), (voeflow.Inference(0, "r", ("n",), ("c",), "d"),), "d"),
        citations=[
            voeflow.Citation("ivo://a/b#c", kind) for kind in ("followup", "supersedes", "retraction")
        ],
        citations_description="Because",
    )
    assert ivoa.validate(etree.fromstring(packet)), ivoa.error_log


def test_what_becomes_of_notices_is_valid_by_the_ivoas_schema(ivoa: etree.XMLSchema) -> None:
    mapper = Mapper()
    for name in NAMES:
        packet = mapper.mapped(notice(name)).packet
        mapper.event(name)
        assert ivoa.validate(etree.fromstring(packet)), (name, ivoa.error_log)
