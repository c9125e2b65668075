"""The packets that voeflow makes, against the schema of the IVOA, which the comet distribution carries."""

from __future__ import annotations

import pytest
from lxml import etree

from interop.stage import peers_packages
from support.notices import NAMES, Mapper, notice

pytestmark = pytest.mark.interop


def test_what_becomes_of_notices_is_valid_by_the_ivoas_schema() -> None:
    ivoa = etree.XMLSchema(etree.parse(peers_packages() / "comet/schema/VOEvent-v2.0.xsd"))
    mapper = Mapper()
    for name in NAMES:
        packet = mapper.mapped(notice(name)).packet
        mapper.event(name)
        assert ivoa.validate(etree.fromstring(packet)), (name, ivoa.error_log)
