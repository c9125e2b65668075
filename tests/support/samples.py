"""Packets written for the tests, after the shape of real ones."""

from __future__ import annotations

NAMESPACES = {
    "1.1": "http://www.ivoa.net/xml/VOEvent/v1.1",
    "2.0": "http://www.ivoa.net/xml/VOEvent/v2.0",
    "2.1": "http://www.ivoa.net/xml/VOEvent/v2.1",
}

BURST = """\
  <Who>
    <AuthorIVORN>{author}</AuthorIVORN>
    <Date>2026-11-24T01:02:03</Date>
    <Author><shortName>SVOM</shortName><contactEmail>burst.advocate@example.org</contactEmail></Author>
  </Who>
  <What>
    <Param name="Packet_Type" value="{packet_type}"/>
    <Param name="Sun_Distance" value="94.2" unit="deg" ucd="pos.angDistance"/>
    <Group name="Solution" type="best">
      <Param name="SNR" value="12.5" ucd="stat.snr"/>
    </Group>
  </What>
  <WhereWhen>
    <ObsDataLocation>
      <ObservatoryLocation id="GEOLUN"/>
      <ObservationLocation>
        <AstroCoordSystem id="UTC-FK5-GEO"/>
        <AstroCoords coord_system_id="UTC-FK5-GEO">
          <Time unit="s"><TimeInstant><ISOTime>2026-11-24T01:01:30.25</ISOTime></TimeInstant></Time>
          <Position2D unit="deg">
            <Name1>RA</Name1><Name2>Dec</Name2>
            <Value2><C1>83.633</C1><C2>22.0145</C2></Value2>
            <Error2Radius>0.05</Error2Radius>
          </Position2D>
        </AstroCoords>
      </ObservationLocation>
    </ObsDataLocation>
  </WhereWhen>
  <Why importance="0.9">
    <Inference probability="0.95"><Concept>process.variation.burst;em.gamma</Concept></Inference>
  </Why>
"""


def voevent(
    ivorn: str = "ivo://obspm.gepi/svom#trigger-1",
    *,
    role: str | None = "observation",
    version: str = "2.0",
    author: str = "ivo://obspm.gepi/svom",
    packet_type: int = 61,
    body: str | None = None,
    declaration: str = '<?xml version="1.0" encoding="UTF-8"?>\n',
    tail: str = "\n",
) -> bytes:
    """Build a VOEvent, valid in its own version unless `body` makes it otherwise (2.0 and 2.1)."""
    inner = BURST.format(author=author, packet_type=packet_type) if body is None else body
    role_attribute = f' role="{role}"' if role is not None else ""
    return (
        f'{declaration}<voe:VOEvent xmlns:voe="{NAMESPACES[version]}" ivorn="{ivorn}"'
        f'{role_attribute} version="{version}">\n{inner}</voe:VOEvent>{tail}'
    ).encode()
