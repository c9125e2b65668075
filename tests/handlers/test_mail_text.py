from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

import voeflow
from support.samples import voevent
from voeflow_handlers._sky import show_angle, show_position
from voeflow_handlers._smtp import parse_server
from voeflow_handlers._summary import FIELDS, ROWS_MAX, check_template, fields
from voeflow_handlers.mail import Email

NOW = 1_800_000_000.0
MAILER = Email(("duty@example.org", "night@example.org"), "voeflow@node.example.org")
HEADERS = ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"]


def sent(event: voeflow.Event, mailer: Email = MAILER) -> EmailMessage:
    """The mail for an event as a reader's program gets it."""
    raw = mailer.message(event, "delivery-1", NOW).as_bytes()
    assert all(byte < 128 for byte in raw)
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def body(event: voeflow.Event, mailer: Email = MAILER) -> str:
    part = sent(event, mailer).get_body()
    assert part is not None
    text = part.get_content()
    assert isinstance(text, str)
    return text.replace("\r\n", "\n")  # as mail has it on the wire


def with_text(text: str, **options: Any) -> voeflow.Event:
    """An event with the same text wherever a packet takes text."""
    escaped = "".join(f"&#{ord(c)};" for c in text)
    return voeflow.Event.parse(
        voevent(
            author=escaped,
            body=f"<Who><AuthorIVORN>{escaped}</AuthorIVORN><Author><title>{escaped}</title>"
            f"<contactEmail>{escaped}</contactEmail></Author></Who>"
            f'<What><Param name="{escaped}" value="{escaped}" unit="{escaped}"/>'
            f'<Group name="{escaped}" type="{escaped}"><Param name="{escaped}" value="1"/></Group></What>'
            f'<Why importance="{escaped}"><Concept>{escaped}</Concept><Name>{escaped}</Name></Why>'
            f'<Citations><EventIVORN cite="{escaped}">{escaped}</EventIVORN></Citations>'
            f"<Description>{escaped}</Description>",
            **options,
        )
    )


def test_the_headers_say_who_what_and_when() -> None:
    message = sent(voeflow.Event.parse(voevent()))
    assert message["From"] == "voeflow@node.example.org"
    assert message["To"] == "duty@example.org, night@example.org"
    assert message["Subject"] == "[voeflow] observation: ivo://obspm.gepi/svom#trigger-1"
    assert message["Message-ID"] == "<delivery-1@node.example.org>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Date"].datetime.timestamp() == NOW
    assert message.keys() == HEADERS


def test_the_packet_is_attached_byte_for_byte() -> None:
    raw = voevent().replace(b"UTF-8", b"ISO-8859-1").replace(b"SVOM", b"caf\xe9") + b"<!-- \r\n -->\n\n"
    event = voeflow.Event.parse(raw)
    (attachment,) = sent(event).iter_attachments()
    assert attachment.get_content_type() == "application/xml"
    assert attachment.get_payload(decode=True) == raw
    assert attachment.get_filename() == f"obspm.gepi_svom_trigger-1.{event.digest.hex()}.xml"


def test_the_summary_tells_what_who_when_and_where() -> None:
    text = body(voeflow.Event.parse(voevent(), source="upstream"))
    for line in (
        "  Role           observation",
        "  Concept        process.variation.burst;em.gamma",
        "  Importance     0.9",
        "  Author         ivo://obspm.gepi/svom",
        "  Name           SVOM",
        "  E-mail         burst.advocate@example.org",
        "  Written        2026-11-24 01:02:03 UTC",
        "  Time           2026-11-24 01:01:30.25 UTC",
        "  RA, Dec        05:34:31.92 +22:00:52.2 (83.6330, +22.0145 deg)",
        "  Error radius   3 arcmin",
        "  Frame          FK5",
        "  Packet_Type     61",
        "  Sun_Distance    94.2  deg",
        "  Solution (best):",
        "    SNR           12.5",
        "  IVORN          ivo://obspm.gepi/svom#trigger-1",
    ):
        assert line in text.splitlines()
    assert "UTC through upstream" in text
    assert "unknown" not in text


def test_what_is_unknown_is_said_of_place_and_time_alone() -> None:
    text = body(voeflow.Event.parse(voevent(body="")))
    assert "  Time           unknown" in text
    assert "  RA, Dec        unknown" in text
    assert "Author" not in text
    assert "Parameters\nnone" in text


def test_a_test_says_so_first() -> None:
    assert body(voeflow.Event.parse(voevent(role="test"))).startswith("This is a test.")


def test_citations_are_listed_with_their_kind() -> None:
    cited = '<Citations><EventIVORN cite="retraction">ivo://a.b/c#1</EventIVORN></Citations>'
    assert "Refers to\n  retraction     ivo://a.b/c#1" in body(voeflow.Event.parse(voevent(body=cited)))


def test_many_parameters_are_counted_beyond_a_hundred() -> None:
    many = "".join(f'<Param name="p{n}" value="{n}"/>' for n in range(ROWS_MAX + 7))
    text = body(voeflow.Event.parse(voevent(body=f"<What>{many}</What>")))
    assert f"p{ROWS_MAX - 1} " in text
    assert f"p{ROWS_MAX} " not in text
    assert "... and 7 more" in text


def test_a_description_of_a_mebibyte_is_cut() -> None:
    event = voeflow.Event.parse(voevent(body=f"<Description>{'long ' * 200_000}</Description>"))
    assert len(body(event)) < 4000
    assert max(map(len, body(event).splitlines())) < 100


def test_text_in_any_script_is_readable() -> None:
    event = voeflow.Event.parse(voevent(body="<Description>sursaut gamma détecté 爆発</Description>"))
    assert "sursaut gamma détecté 爆発" in body(event)
    assert (
        sent(event, attrs.evolve(MAILER, subject="{description}"))["Subject"] == "sursaut gamma détecté 爆発"
    )


ENCODED = "=?utf-8?q?=0D=0ABcc:_evil@example.com?="


@pytest.mark.parametrize(
    "text",
    [
        "x\nBcc: evil@example.com",
        "x\r\n\r\nno more headers",
        "x\u2028Bcc: evil@example.com",
        "x\x85y",
        "\u202eabc\u2066",
        ENCODED,
        f"a{ENCODED}",
        f"{'x' * 70} {ENCODED} {ENCODED}",
        f"=={ENCODED}",
        "=?utf-8?b?DQpCY2M6IGV2aWxAZXhhbXBsZS5jb20=?=",
    ],
)
def test_nothing_of_a_packet_becomes_a_header_or_hides(text: str) -> None:
    # XML 1.0 has no way to write the other control characters
    event = with_text(text, ivorn="ivo://x/" + "".join(f"&#{ord(c)};" for c in text if c.isprintable()))
    for subject in ("{ivorn}", "{description}", "{author} {names}", "{summary}"):
        message = sent(event, attrs.evolve(MAILER, subject=subject))
        assert message.keys() == HEADERS
        assert "evil" not in str(message["To"])
        assert message["Subject"].isprintable()
        assert len(message["Subject"]) <= 400
    assert all(line.isprintable() for line in body(event).split("\n"))


xml_text = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff")
    | st.sampled_from("\r\n\t =?"),
    max_size=80,
) | st.lists(
    st.sampled_from(["=?utf-8?q?", "=0A", "=0D=0A", "?=", "Bcc:", " ", "x", "\n", "é"]), max_size=12
).map("".join)


@given(xml_text)
def test_any_text_makes_a_mail_with_its_own_headers_and_printable_lines(text: str) -> None:
    event = with_text(text)
    message = sent(event, attrs.evolve(MAILER, subject="{description}{author}"))
    assert message.keys() == HEADERS
    assert message["Subject"].isprintable()
    assert all(line.isprintable() for line in body(event).split("\n"))


def test_every_field_can_be_used_and_none_is_missing() -> None:
    everything = " ".join(f"{{{name}}}" for name in FIELDS)
    check_template(everything)
    assert set(fields(voeflow.Event.parse(voevent()), "d")) == {*FIELDS, "param"}
    text = body(voeflow.Event.parse(voevent()), attrs.evolve(MAILER, body="{{{role}}} {ra} {dec} {error}"))
    assert text == "{observation} 83.633 22.0145 3 arcmin\n"


@pytest.mark.parametrize(
    ("template", "told"),
    [
        ("{ivrn}", r"no field {ivrn}; did you mean {ivorn}\?"),
        ("{xyzzy}", "there are: ivorn, role"),
        ("{}", "no field {}"),
        ("{snr}", r"summary, and \{param:NAME\} for the Param of that name$"),
        ("{ivorn.__class__}", "no field"),
        ("{ivorn[0]}", "no field"),
        ("{ra:.2f}", "without : or !"),
        ("{ivorn!r}", "without : or !"),
        ("{ivorn", "written twice"),
        ("}", "written twice"),
    ],
)
def test_a_template_with_a_mistake_is_told_before_any_mail(template: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Email(("a@b.example",), "c@d.example", subject=template)
    with pytest.raises(ValueError, match=told):
        Email(("a@b.example",), "c@d.example", body=template)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"to": ()}, "at least one address"),
        ({"to": ("duty",)}, "expected an address"),
        ({"to": ("Duty <duty@example.org>",)}, "without a name"),
        ({"sender": "a@b\nBcc: c@d"}, "expected an address"),
        ({"sender": "é@example.org"}, "expected an address"),
        ({"server": "localhost"}, "expected .smtp://HOST:25"),
        ({"server": "http://localhost"}, "expected .smtp://HOST:25"),
        ({"server": "smtp://localhost:mail"}, "bad port"),
        ({"server": "smtp://localhost/x"}, "nothing after the port"),
        ({"ceiling": -1}, ">= 0"),
        ({"timeout": 0.0}, "> 0"),
        ({"username": "u"}, "password = "),
        ({"password": voeflow.Secret("p")}, "username = "),
        ({"username": "u", "password": voeflow.Secret("")}, "not empty"),
        ({"username": "u", "password": voeflow.Secret("é")}, "ASCII"),
        (
            {"username": "u", "password": voeflow.Secret("p"), "server": "smtp://mail.example.org"},
            r"smtp\+starttls",
        ),
    ],
)
def test_options_that_cannot_work_are_mistakes(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Email(**{"to": ("duty@example.org",), "sender": "voeflow@example.org", **options})


def test_a_password_in_the_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(ValueError, match=r'write username = "\.\.\." and password') as refused:
        parse_server("smtps://user:hunter2@mail.example.org")
    assert "hunter2" not in str(refused.value)


def test_a_password_is_not_shown() -> None:
    mailer = attrs.evolve(
        MAILER, server="smtps://m.example.org", username="u", password=voeflow.Secret("hunter2")
    )
    assert "hunter2" not in repr(mailer)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("smtp://mail.example.org", "smtp://mail.example.org:25"),
        ("smtp+starttls://mail.example.org", "smtp+starttls://mail.example.org:587"),
        ("smtps://mail.example.org/", "smtps://mail.example.org:465"),
        ("smtp://[::1]:2525", "smtp://[::1]:2525"),
    ],
)
def test_a_server_has_the_port_of_its_scheme(url: str, shown: str) -> None:
    assert str(parse_server(url)) == shown


@pytest.mark.parametrize(
    ("ra", "dec", "shown"),
    [
        (0.0, 0.0, "00:00:00.00 +00:00:00.0 (0.0000, +0.0000 deg)"),
        (359.99999999, -89.99999999, "00:00:00.00 -90:00:00.0 (360.0000, -90.0000 deg)"),
        (266.41684, -29.00781, "17:45:40.04 -29:00:28.1 (266.4168, -29.0078 deg)"),  # Sagittarius A*
        (83.633, -0.5, "05:34:31.92 -00:30:00.0 (83.6330, -0.5000 deg)"),
    ],
)
def test_a_position_is_sexagesimal_and_in_degrees(ra: float, dec: float, shown: str) -> None:
    assert show_position(ra, dec) == shown


@given(st.floats(0, 360, exclude_max=True), st.floats(-90, 90))
def test_no_part_of_a_position_is_sixty_and_it_reads_back(ra: float, dec: float) -> None:
    alpha, delta = (part.split(":") for part in show_position(ra, dec).split()[:2])
    assert all(float(part) < 60 for part in (*alpha[1:], *delta[1:]))
    back = 15 * (int(alpha[0]) + int(alpha[1]) / 60 + float(alpha[2]) / 3600)
    assert min(abs(back - ra), 360 - abs(back - ra)) <= 15 * 0.0051 / 3600
    magnitude = abs(int(delta[0])) + int(delta[1]) / 60 + float(delta[2]) / 3600
    assert abs((-magnitude if delta[0].startswith("-") else magnitude) - dec) <= 0.051 / 3600


@pytest.mark.parametrize(
    ("degrees", "shown"),
    [(12.5, "12.5 deg"), (0.05, "3 arcmin"), (0.001, "3.6 arcsec"), (1e-5, "36 mas"), (1.0, "1 deg")],
)
def test_an_error_is_in_the_unit_that_reads_best(degrees: float, shown: str) -> None:
    assert show_angle(degrees) == shown


def test_a_link_among_the_parameters_is_whole_and_pushes_nothing_aside() -> None:
    link = "https://example.org/" + "x" * 120
    what = f'<What><Param name="chart" value="{link}" unit="-"/><Param name="z" value="1.2" unit="m"/></What>'
    lines = body(voeflow.Event.parse(voevent(body=what))).splitlines()
    assert f"  chart    {link}  -" in lines
    assert "  z        1.2  m" in lines
