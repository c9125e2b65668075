"""Packets that use every element and attribute of their version of VOEvent at least once."""

from __future__ import annotations

_SHARED_WHAT = """\
  <What>
    <Description>What was seen</Description>
    <Reference uri="http://example.org/curve" type="url" mimetype="image/png" meaning="http://example.org/m"/>
    <Param name="mag" value="19.5" unit="mag" ucd="phot.mag" dataType="float" utype="x:mag"/>
    <Param name="note"><Value>two
      lines</Value><Description>free text</Description><Reference uri="http://example.org/n"/></Param>
    <Group name="trigger" type="complex">
      <Param name="TrigID" value="7" dataType="int"/>
      <Description>ids</Description>
      <Reference uri="http://example.org/g"/>
    </Group>
    <Table name="curve" type="simple">
      <Param name="telescope" value="various" dataType="string"/>
      <Description>a light curve</Description>
      <Reference uri="http://example.org/t"/>
      <Field name="time" unit="d" ucd="time.epoch" dataType="float" utype="x:time"/>
      <Field name="mag"><Description>magnitude</Description><Reference uri="http://example.org/f"/></Field>
      <Data><TR><TD>1.0</TD><TD>19.5</TD></TR><TR><TD>2.0</TD><TD>19.4</TD></TR></Data>
    </Table>
  </What>
"""

_SHARED_TAIL = """\
  <How><Description>A telescope</Description><Reference uri="http://example.org/how"/></How>
  <Why importance="0.8" expires="2026-12-01T00:00:00Z">
    <Name>SN 2026abc</Name>
    <Concept>process.variation.burst;em.opt</Concept>
    <Inference probability="0.9" relation="associated">
      <Name>NGC 931</Name><Concept>galaxy</Concept>
      <Description>near it</Description><Reference uri="http://example.org/ngc931"/>
    </Inference>
    <Description>Looks like a supernova</Description>
    <Reference uri="http://example.org/why"/>
  </Why>
  <Citations>
    <EventIVORN cite="followup">ivo://example.org/alerts#1</EventIVORN>
    <EventIVORN cite="supersedes">ivo://example.org/alerts#2</EventIVORN>
    <EventIVORN cite="retraction">ivo://example.org/alerts#3</EventIVORN>
    <Description>what came before</Description>
  </Citations>
  <Description>All there is</Description>
  <Reference uri="http://example.org/"/>
"""

_CURATION = (
    "<title>Alerts</title><shortName>EX</shortName><logoURL>http://example.org/logo.png</logoURL>"
    "<contactName>A. N. Other</contactName><contactEmail>duty@example.org</contactEmail>"
    "<contactPhone>+33 1 23 45 67 89</contactPhone><contributor>B. Else</contributor>"
)

_WHO = """\
  <Who>
    <AuthorIVORN>ivo://example.org/alerts</AuthorIVORN>
    <Date>2026-11-24T01:02:03.5Z</Date>
    <Author>{author}</Author>
    <Description>a test stream</Description>
    <Reference uri="http://example.org/who"/>
  </Who>
"""

#: Every element of VOEvent 2.0.
FULL_20 = (
    _WHO.format(author=_CURATION)
    + _SHARED_WHAT
    + """\
  <WhereWhen id="ww-1">
    <ObsDataLocation>
      <ObservatoryLocation id="Palomar">
        <AstroCoordSystem id="UTC-GEOD-TOPO"/>
        <AstroCoords coord_system_id="UTC-GEOD-TOPO">
          <Position3D unit="deg deg m">
            <Name1>Longitude</Name1><Name2>Latitude</Name2><Name3>Elevation</Name3>
            <Value3><C1>243.1361</C1><C2>33.356</C2><C3>1706</C3></Value3>
          </Position3D>
        </AstroCoords>
      </ObservatoryLocation>
      <ObservationLocation>
        <AstroCoordSystem id="UTC-ICRS-TOPO"/>
        <AstroCoords coord_system_id="UTC-ICRS-TOPO">
          <Time unit="s">
            <TimeInstant>
              <ISOTime>2026-11-24T01:01:30</ISOTime><TimeOffset>0.5</TimeOffset><TimeScale>UTC</TimeScale>
            </TimeInstant>
            <Error>0.1</Error>
          </Time>
          <Position2D unit="deg">
            <Name1>RA</Name1><Name2>Dec</Name2>
            <Value2><C1>37.06</C1><C2>-31.31</C2></Value2>
            <Error2Radius>0.03</Error2Radius>
          </Position2D>
        </AstroCoords>
      </ObservationLocation>
    </ObsDataLocation>
    <Description>where and when</Description>
    <Reference uri="http://example.org/where"/>
  </WhereWhen>
"""
    + _SHARED_TAIL
)

#: Every element that VOEvent 2.1 has and 2.0 has not, and the rest.
FULL_21 = (
    _WHO.format(
        author=_CURATION + '<Contributor ivorn="ivo://example.org/people/c" role="DataCollector" '
        'altIdentifier="https://orcid.org/0000-0001-2345-6789">C. Third</Contributor>'
    )
    + _SHARED_WHAT
    + """\
  <WhereWhen id="ww-1">
    <ObsDataLocation>
      <ObservatoryLocation id="UTC-ICRS-TOPO"/>
      <ObservationLocation>
        <AstroCoordSystem id="UTC-ICRS-TOPO">
          <TimeFrame id="time">
            <Name>t</Name><ReferencePosition>TOPOCENTER</ReferencePosition><TimeScale>UTC</TimeScale>
          </TimeFrame>
          <SpaceFrame id="space">
            <Name>s</Name><SpaceRefFrame>ICRS</SpaceRefFrame><CoordFlavor>SPHERICAL</CoordFlavor>
            <ReferencePosition>TOPOCENTER</ReferencePosition>
          </SpaceFrame>
        </AstroCoordSystem>
        <AstroCoords coord_system_id="whatever suits">
          <Time unit="s">
            <TimeInterval>
              <ISOTimeStart>2026-11-24T01:01:30</ISOTimeStart><ISOTimeStop>2026-11-24T01:03:00</ISOTimeStop>
            </TimeInterval>
            <Error>0.1</Error>
          </Time>
          <PositionName>Jupiter</PositionName>
          <Position2D unit="deg">
            <Name1>RA</Name1><Name2>Dec</Name2>
            <Value2><C1 ucd="pos.eq.ra" pos_unit="deg">37.06</C1><C2>-31.31</C2></Value2>
            <Error2Radius ucd="stat.error" pos_unit="arcmin">1.8</Error2Radius>
            <Error2><C1>0.1</C1><C2>0.2</C2></Error2>
          </Position2D>
          <Position3D unit="deg deg kpc">
            <Name1>RA</Name1><Name2>Dec</Name2><Name3>D</Name3>
            <Value3><C1>37.06</C1><C2>-31.31</C2><C3 pos_unit="kpc">8</C3></Value3>
            <Error3><C3>0.5</C3></Error3>
          </Position3D>
        </AstroCoords>
      </ObservationLocation>
    </ObsDataLocation>
  </WhereWhen>
"""
    + _SHARED_TAIL
)

#: Every element of VOEvent 1.1, with what 2.0 no longer allows.
FULL_11 = """\
  <Who>
    <AuthorIVORN>ivo://example.org/alerts</AuthorIVORN>
    <AuthorIVORN>ivo://example.org/others</AuthorIVORN>
    <Date>2006-11-01T01:02:03</Date>
    <Author><title>Alerts</title><shortName>EX</shortName><logoURL>not a % URI</logoURL>
      <contactName>A</contactName><contactEmail>a@b</contactEmail><contactPhone>1</contactPhone>
      <contributor>B</contributor></Author>
    <Description format="text/html">&lt;b&gt;bold&lt;/b&gt;</Description>
    <Reference anything="goes" name="x"/>
  </Who>
  <What>
    <Param name="mag" value="19.5" unit="mag" ucd="phot.mag" anything="goes"><Anything/>goes</Param>
    <Group name="g"><Group name="nested"><Param/></Group></Group>
    <Description>d</Description>
    <Reference uri="http://example.org/"/>
  </What>
  <WhereWhen>
    <Description>where</Description>
    <stc:ObsDataLocation xmlns:stc="http://www.ivoa.net/xml/STC/stc-v1.30.xsd">
      <stc:ObservationLocation><stc:AstroCoords coord_system_id="FK5-UTC-GEO"/></stc:ObservationLocation>
    </stc:ObsDataLocation>
    <Reference/>
  </WhereWhen>
  <How><Reference uri="http://example.org/" type="rtml"/><Description>d</Description></How>
  <Why importance="7" expires="2006-12-01T00:00:00">
    <Name>n</Name><Concept>c</Concept><Inference probability="7"/><Description>d</Description><Reference/>
  </Why>
  <Citations>
    <Description>first</Description>
    <EventIVORN cite=" followup ">ivo://example.org/alerts#1</EventIVORN>
    <Reference/>
    <EventIVORN cite="retraction">ivo://example.org/alerts#2</EventIVORN>
  </Citations>
  <Description format="text/plain">d</Description>
  <Reference uri="http://example.org/" name="n" type="url"/>
"""
