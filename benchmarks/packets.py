"""The packets that the brokers are sent: 5 kB, after the shape of a Swift alert, each with its own IVORN.

They are written by the benchmark and valid VOEvent 2.0. All packets of one mill have the same length, so that
one can be made for well under a microsecond's worth of the load generator's time.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from xml.sax.saxutils import quoteattr

import attrs

_HEAD = """\
<?xml version="1.0" encoding="UTF-8"?>
<voe:VOEvent xmlns:voe="http://www.ivoa.net/xml/VOEvent/v2.0" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
  xsi:schemaLocation="http://www.ivoa.net/xml/VOEvent/v2.0 http://www.ivoa.net/xml/VOEvent/VOEvent-v2.0.xsd"
  version="2.0" role="observation" ivorn="ivo://org.example.benchmark/bursts#"""

_TAIL = """">
  <Who>
    <AuthorIVORN>ivo://org.example.benchmark/bursts</AuthorIVORN>
    <Author>
      <shortName>Benchmark</shortName>
      <contactName>Nobody In Particular</contactName>
      <contactEmail>nobody@example.org</contactEmail>
    </Author>
    <Date>2026-11-24T01:02:03</Date>
    <Description>A made-up burst, as long as a real one</Description>
  </Who>
  <What>
    <Param name="Packet_Type" value="61"/>
    <Param name="Pkt_Ser_Num" value="1"/>
    <Param name="TrigID" value="600114" ucd="meta.id"/>
    <Param name="Segment_Num" value="0" ucd="meta.id.part"/>
    <Param name="Burst_TJD" value="21368" unit="days" ucd="time"/>
    <Param name="Burst_SOD" value="3690.25" unit="sec" ucd="time"/>
    <Param name="Burst_Inten" value="{intensity}" unit="cts" ucd="phot.count"/>
    <Param name="Burst_Peak" value="180" unit="ct" ucd="phot.count"/>
    <Param name="Int_Time" value="1.024" unit="sec" ucd="time.interval"/>
    <Param name="Phi" value="11.54" unit="deg" ucd="pos.az.azi"/>
    <Param name="Theta" value="36.21" unit="deg" ucd="pos.az.zd"/>
    <Param name="Integ_Time" value="0.512" unit="sec" ucd="time.interval"/>
    <Param name="Soln_Status" value="0x3"/>
    <Param name="Rate_Signif" value="12.49" unit="sigma" ucd="stat.snr"/>
    <Param name="Image_Signif" value="8.31" unit="sigma" ucd="stat.snr"/>
    <Param name="Bkg_Inten" value="11470" unit="cts" ucd="phot.count"/>
    <Param name="Bkg_Time" value="3679.45" unit="sec" ucd="time"/>
    <Param name="Bkg_Dur" value="8.00" unit="sec" ucd="time.interval"/>
    <Param name="Merit_Vals" value="1 0 0 0 3 4 0 0 59 0"/>
    <Param name="Sun_Distance" value="94.20" unit="deg" ucd="pos.angDistance"/>
    <Param name="Sun_Hr_Angle" value="-5.91" unit="hr"/>
    <Param name="MOON_Illum" value="71.95" unit="%" ucd="arith.ratio"/>
    <Param name="Galactic_Long" value="184.5575" unit="deg" ucd="pos.galactic.lon"/>
    <Param name="Galactic_Lat" value="-5.7843" unit="deg" ucd="pos.galactic.lat"/>
    <Param name="Ecliptic_Long" value="84.0972" unit="deg" ucd="pos.ecliptic.lon"/>
    <Param name="Ecliptic_Lat" value="-1.2944" unit="deg" ucd="pos.ecliptic.lat"/>
    <Group name="Solution_Status">
      <Param name="Point_Source" value="true"/>
      <Param name="Definitely_A_Burst" value="true"/>
      <Param name="Interesting" value="true"/>
      <Param name="Definitely_Not_A_Burst" value="false"/>
      <Param name="In_Catalogue" value="false"/>
      <Param name="Spatial_Coincidence" value="false"/>
      <Param name="Test_Submission" value="false"/>
    </Group>
    <Group name="Lightcurve">
      <Param name="Lc_Start" value="3685.10" unit="sec" ucd="time.start"/>
      <Param name="Lc_Stop" value="3701.50" unit="sec" ucd="time.end"/>
      <Param name="Lc_Bins" value="256" ucd="meta.number"/>
      <Param name="Lc_Band_Low" value="15" unit="keV" ucd="em.energy;stat.min"/>
      <Param name="Lc_Band_High" value="150" unit="keV" ucd="em.energy;stat.max"/>
      <Param name="Lc_URL" value="https://example.org/bursts/lightcurves/600114.lc" ucd="meta.ref.url"/>
    </Group>
    <Group name="Misc_Flags">
      <Param name="Values_Out_of_Range" value="false"/>
      <Param name="Near_Bright_Star" value="false"/>
      <Param name="Err_Circle_in_Galaxy" value="false"/>
      <Param name="Galaxy_in_Err_Circle" value="false"/>
      <Param name="Delayed_Transmission" value="false"/>
    </Group>
    <Description>Type 61: a position of a burst, found on board</Description>
  </What>
  <WhereWhen>
    <ObsDataLocation>
      <ObservatoryLocation id="GEOLUN"/>
      <ObservationLocation>
        <AstroCoordSystem id="UTC-FK5-GEO"/>
        <AstroCoords coord_system_id="UTC-FK5-GEO">
          <Time unit="s"><TimeInstant><ISOTime>2026-11-24T01:01:30.25</ISOTime></TimeInstant></Time>
          <Position2D unit="deg">
            <Name1>RA</Name1>
            <Name2>Dec</Name2>
            <Value2><C1>83.6330</C1><C2>22.0145</C2></Value2>
            <Error2Radius>0.0500</Error2Radius>
          </Position2D>
        </AstroCoords>
      </ObservationLocation>
    </ObsDataLocation>
    <Description>The centre of the error circle, and its radius</Description>
  </WhereWhen>
  <How>
    <Description>A telescope that does not exist</Description>
    <Reference uri="http://example.org/a-telescope-that-does-not-exist"/>
  </How>
  <Why importance="0.90">
    <Inference probability="0.90">
      <Name>A burst</Name>
      <Concept>process.variation.burst;em.gamma</Concept>
    </Inference>
  </Why>
  <Description>Made up to measure brokers with; nothing was seen in the sky.</Description>
</voe:VOEvent>
"""

#: What a subscriber answers to an event (VTP 2.0, section 6.1), without the local part of the IVORN.
_RECEIPT = """\
<?xml version="1.0" encoding="UTF-8"?>
<trn:Transport xmlns:trn="http://www.telescope-networks.org/xml/Transport/v1.1" version="1.0" role="ack">
<Origin>ivo://org.example.benchmark/bursts#@</Origin><Response>ivo://org.example.benchmark/subscriber</Response>
<TimeStamp>2026-11-24T01:02:03Z</TimeStamp></trn:Transport>
"""


#: What a subscriber answers to a broker's greeting, as Comet does, with the filters that it brings.
_GREETING = """\
<?xml version="1.0" encoding="UTF-8"?>
<trn:Transport xmlns:trn="http://telescope-networks.org/schema/Transport/v1.1"
  version="1.0" role="authenticate">
<Origin>ivo://org.example.benchmark/subscriber</Origin>
<Response>ivo://org.example.benchmark/subscriber</Response>
<TimeStamp>2026-11-24T01:02:03Z</TimeStamp>
<Meta>{filters}</Meta></trn:Transport>
"""

#: The value of `Burst_Inten` in a packet unless another is asked for.
INTENSITY = 2160

#: How many digits the number at the end of an IVORN has.
_DIGITS = 9


def greeting(expressions: Sequence[str] = ()) -> bytes:
    """Make a subscriber's answer to the greeting, in its frame, with the XPath filters that it brings."""
    filters = "".join(f'<Param name="xpath-filter" value={quoteattr(each)}/>' for each in expressions)
    return framed(_GREETING.format(filters=filters).encode())


def framed(payload: bytes) -> bytes:
    """Put VTP's count before a payload (VTP 2.0, section 3.2)."""
    return struct.pack("!I", len(payload)) + payload


@attrs.define
class Mill:
    """Makes framed packets, all of one length, each with an IVORN that no other has.

    Attributes:
        stem: what the local parts of this mill's IVORNs begin with.
        intensity: the value of their Param `Burst_Inten`, for filters to ask about.
        made: how many it has made.
    """

    stem: str
    intensity: int = INTENSITY
    made: int = attrs.field(default=0, init=False)
    _head: bytes = attrs.field(init=False, repr=False)
    _tail: bytes = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        """Make what all packets begin with, the count and the head, and what they end with."""
        head = (_HEAD + self.stem + "-").encode()
        self._tail = _TAIL.replace("{intensity}", f"{self.intensity:04}").encode()
        self._head = struct.pack("!I", len(head) + _DIGITS + len(self._tail)) + head

    def frame(self) -> bytes:
        """Make the next packet, in its frame."""
        self.made += 1
        return b"%b%09d%b" % (self._head, self.made, self._tail)

    def number(self, payload: bytes) -> int:
        """Give the number of a packet of this mill, counted from 1; 0 if it is none."""
        at = len(self._head) - 4
        if payload[:at] != self._head[4:] or payload[at + _DIGITS :] != self._tail:
            return 0
        return int(payload[at : at + _DIGITS])

    def receipt(self, number: int | None = None) -> bytes:
        """Make a subscriber's receipt for a packet, the last one unless a number is given, in its frame."""
        number = self.made if number is None else number
        return framed(_RECEIPT.replace("@", f"{self.stem}-{number:0{_DIGITS}}").encode())
