"""TLS on a connection: what goes through, who is let in, and what is said of what goes wrong."""

from __future__ import annotations

import hmac
import os
import socket
import ssl
import struct
import time
from pathlib import Path

import attrs
import pytest
import trio
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from support.certificates import Authority, Certified
from voeflow_transports.vtp._certificates import Certificate, read_pattern
from voeflow_transports.vtp._connection import Connection
from voeflow_transports.vtp._tls import ClientTLS, ServerTLS


@attrs.frozen
class Place:
    authority: Authority
    server: Certified
    client: Certified


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    authority = Authority(tmp_path_factory.mktemp("certificates"))
    return Place(
        authority,
        authority.certify("server", "localhost", "127.0.0.1"),
        authority.certify("client", "fsc.example.org", subject="svom, fsc"),
    )


@pytest.fixture
def ends() -> tuple[Connection, Connection]:
    left, right = socket.socketpair()
    return Connection(left, "server", ""), Connection(right, "client", "")


def server_tls(place: Place, *, clients: bool = False) -> ServerTLS:
    return ServerTLS(
        certificate=place.server.certificate,
        key=place.server.key,
        client_ca=place.authority.path if clients else None,
    )


def client_tls(place: Place, *, shown: bool = False, name: str = "localhost") -> ClientTLS:
    return ClientTLS(
        ca=place.authority.path,
        certificate=place.client.certificate if shown else None,
        key=place.client.key if shown else None,
        server_name=name,
    )


async def shake(
    ends: tuple[Connection, Connection], server: ssl.SSLContext, client: ClientTLS
) -> tuple[str, str]:
    """Begin TLS between both; give what went wrong, of the server's end and of the client's."""
    faults = {"server": "", "client": ""}

    async def serve() -> None:
        try:
            await ends[0].meet_client(server)
        except OSError as error:
            faults["server"] = error.strerror or str(error)
            ends[0].close()

    async def call() -> None:
        try:
            await ends[1].meet_server(client.towards("127.0.0.1"))
        except OSError as error:
            faults["client"] = error.strerror or str(error)
            ends[1].close()

    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve)
            nursery.start_soon(call)
    return faults["server"], faults["client"]


@pytest.mark.parametrize("size", [1, 16_384, 16_385, 5_000_000])
async def test_what_is_sent_arrives_whole_and_in_order_whatever_the_kernel_takes(
    place: Place, ends: tuple[Connection, Connection], size: int
) -> None:
    near, far = ends
    assert await shake(ends, server_tls(place).context(demanding=False), client_tls(place)) == ("", "")
    sent = [bytes([number]) * size for number in range(4)]
    for data in sent:
        near.send_nowait(data)
    got = bytearray()
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(near.flush)
            while len(got) < 4 * size:
                got += await far.receive(7000)
    assert got == b"".join(sent)
    assert near.unsent == 0
    near.close()
    assert await far.receive() == b""
    far.close()


async def test_what_openssl_holds_is_taken_with_the_rest(
    place: Place, ends: tuple[Connection, Connection]
) -> None:
    near, far = ends
    await shake(ends, server_tls(place).context(demanding=False), client_tls(place))
    near.send_nowait(b"x" * 16_000)
    await trio.lowlevel.wait_readable(far.fileno())
    assert far.receive_nowait(10) == b"x" * 16_000  # more than was asked for: nobody would be told of it
    assert far.receive_nowait(10) is None
    near.close()
    far.close()


async def test_a_turn_takes_so_much_and_no_more_however_much_there_is(
    place: Place, ends: tuple[Connection, Connection]
) -> None:
    near, far = ends
    await shake(ends, server_tls(place).context(demanding=False), client_tls(place))
    near.send_nowait(b"x" * 5_000_000)
    turns: list[int] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(near.flush)
        while sum(turns) < 5_000_000:
            await trio.lowlevel.wait_readable(far.fileno())
            turns.append(len(far.receive_nowait(10**9) or b""))
    assert max(turns) <= 2**16 + 2**14
    near.close()
    far.close()


async def test_finishing_tells_the_end_and_waits_for_the_peers(
    place: Place, ends: tuple[Connection, Connection]
) -> None:
    near, far = ends
    await shake(ends, server_tls(place).context(demanding=False), client_tls(place))
    far.send_nowait(b"unread")
    near.send_nowait(b"receipt")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(near.finish, 5.0)
        assert await far.receive() == b"receipt"
        assert await far.receive() == b""
        far.close()
    assert near.closed


async def test_a_client_may_show_who_it_is(place: Place, ends: tuple[Connection, Connection]) -> None:
    context = server_tls(place, clients=True).context(demanding=True)
    assert await shake(ends, context, client_tls(place, shown=True)) == ("", "")
    shown = ends[0].certificate
    assert shown is not None
    assert str(shown).startswith("cert:O=trustme")
    assert read_pattern("CN=svom\\, fsc").fits(shown)
    assert read_pattern("DNS=fsc.example.org,CN=svom\\, fsc").fits(shown)
    assert read_pattern("*").fits(shown)
    assert read_pattern(f"sha256:{shown.fingerprint.hex(':').upper()}").fits(shown)
    assert not read_pattern("CN=svom").fits(shown)
    assert not read_pattern("sha256:" + "00" * 32).fits(shown)
    for end in ends:
        end.close()


async def test_a_client_without_a_certificate_is_told_that_it_needs_one(
    place: Place, ends: tuple[Connection, Connection]
) -> None:
    _, far = ends
    context = server_tls(place, clients=True).context(demanding=True)
    ours, theirs = await shake(ends, context, client_tls(place))
    assert ours == "shows no certificate, and one is asked for"
    if not theirs:  # in TLS 1.3 the client learns of it with the first answer
        with pytest.raises(OSError, match="asks for a certificate, and this end has shown none"):
            await far.receive()
    far.close()


async def test_a_certificate_may_be_left_out_where_none_is_needed(
    place: Place, ends: tuple[Connection, Connection]
) -> None:
    context = server_tls(place, clients=True).context(demanding=False)
    assert await shake(ends, context, client_tls(place)) == ("", "")
    assert ends[0].certificate is None
    for end in ends:
        end.close()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("broker.example.org", "not valid for 'broker.example.org'"),
        ("192.0.2.1", "not valid for '192.0.2.1'"),
    ],
)
async def test_a_server_of_another_name_is_not_spoken_to(
    place: Place, ends: tuple[Connection, Connection], name: str, reason: str
) -> None:
    context = server_tls(place).context(demanding=False)
    ours, theirs = await shake(ends, context, client_tls(place, name=name))
    assert theirs.startswith("has a certificate that is not taken: ")
    assert reason in theirs
    assert "this end's certificate" in ours or "port's certificate" in ours


async def test_a_server_that_a_stranger_signed_or_that_has_expired_is_not_spoken_to(
    place: Place, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path)
    old = place.authority.certify("old", "localhost", expired=True)
    for certified, reason in (
        (stranger.certify("fake", "localhost"), "unable to get local issuer"),
        (old, "certificate has expired"),
    ):
        left, right = socket.socketpair()
        ends = Connection(left, "server", ""), Connection(right, "client", "")
        context = ServerTLS(certificate=certified.certificate, key=certified.key).context(demanding=False)
        _, theirs = await shake(ends, context, client_tls(place))
        assert reason in theirs


async def test_a_client_that_a_stranger_signed_is_turned_away(
    place: Place, ends: tuple[Connection, Connection], tmp_path: Path
) -> None:
    fake = Authority(tmp_path).certify("fake", "fsc.example.org", subject="svom, fsc")
    client = ClientTLS(
        ca=place.authority.path, certificate=fake.certificate, key=fake.key, server_name="localhost"
    )
    context = server_tls(place, clients=True).context(demanding=False)
    ours, theirs = await shake(ends, context, client)
    assert ours.startswith("has a certificate that is not taken: ")
    if not theirs:
        with pytest.raises(OSError, match="does not trust who signed this end's certificate"):
            await ends[1].receive()
    ends[1].close()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_versions_before_1_2_are_not_spoken(
    place: Place, ends: tuple[Connection, Connection], version: ssl.TLSVersion
) -> None:
    secured = client_tls(place).towards("localhost")
    secured.context.minimum_version = ssl.TLSVersion.TLSv1
    secured.context.maximum_version = version
    secured.context.set_ciphers("DEFAULT:@SECLEVEL=0")
    near, far = ends
    async with trio.open_nursery() as nursery:

        async def call() -> None:
            with pytest.raises(OSError, match=r"no version of TLS|TLS failed"):
                await far.meet_server(secured)
            far.close()

        nursery.start_soon(call)
        with pytest.raises(OSError, match=r"offers no version of TLS from 1\.2 on"):
            await near.meet_client(server_tls(place).context(demanding=False))
        near.close()


async def test_who_speaks_without_tls_is_answered_with_an_alert(
    place: Place, ends: tuple[Connection, Connection]
) -> None:
    near, far = ends
    far.send_nowait(b"\0\0\0\5hello")
    with pytest.raises(OSError, match="speaks without TLS, and this port takes nothing else"):
        await near.meet_client(server_tls(place).context(demanding=False))
    assert (await far.receive())[:3] == b"\x15\x03\x03"
    near.close()
    far.close()


async def test_a_client_learns_that_the_server_speaks_without_tls(
    place: Place, ends: tuple[Connection, Connection]
) -> None:
    near, far = ends
    near.send_nowait(b"\0\0\0\5hello")
    with pytest.raises(OSError, match="speaks without TLS: set tls at both ends or at neither"):
        await far.meet_server(client_tls(place).towards("localhost"))
    near.close()
    far.close()


async def test_the_end_in_a_handshake_is_told_as_such(
    place: Place, ends: tuple[Connection, Connection]
) -> None:
    near, far = ends
    near.close()
    with pytest.raises(OSError, match="closed the connection in the TLS handshake: does that port speak TLS"):
        await far.meet_server(client_tls(place).towards("localhost"))
    far.close()


def test_a_certificate_is_shown_on_one_line_as_allow_would_have_it() -> None:
    named = Certificate((("commonName", "a,b\n\x1b[31m"), ("DNS", "x")), bytes(32))
    assert str(named) == "cert:CN=a\\,b\\n\\x1b[31m"
    assert str(Certificate((), b"\xab" * 32)) == "cert:sha256:" + "ab" * 32


@pytest.mark.parametrize("text", ["", "svom", "CN=", "XX=svom", "sha256:AB", "sha256:" + "zz" * 32, "CN=a,b"])
def test_what_means_no_certificate_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        read_pattern(text)


def _expanded(secret: bytes, label: str, length: int) -> bytes:
    """HKDF-Expand-Label with SHA-384 and no context (RFC 8446, section 7.1), of at most one block."""
    name = b"tls13 " + label.encode()
    info = struct.pack("!HB", length, len(name)) + name + b"\0\1"
    return hmac.digest(secret, info, "sha384")[:length]


def _key_updates(secret: bytes, number: int) -> bytes:
    """Records that change a client's keys, again and again, and do nothing else (RFC 8446, section 4.6.3)."""
    records = []
    for _ in range(number):
        message = b"\x18\0\0\1\0" + b"\x16"
        header = struct.pack("!BHH", 0x17, 0x0303, len(message) + 16)
        key, iv = _expanded(secret, "key", 32), _expanded(secret, "iv", 12)
        records.append(
            header + AESGCM(key).encrypt(iv, message, header)
        )  # the sequence number is 0 each time
        secret = _expanded(secret, "traffic upd", 48)
    return b"".join(records)


async def test_who_changes_keys_without_end_holds_no_turn_for_long(place: Place, tmp_path: Path) -> None:
    left, right = socket.socketpair()
    near, far = Connection(left, "server", ""), Connection(right, "client", "")
    secured = client_tls(place).towards("localhost")
    secured.context.keylog_filename = str(tmp_path / "keys")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(near.meet_client, server_tls(place).context(demanding=False))
        nursery.start_soon(far.meet_server, secured)
    lines = [line.split() for line in (tmp_path / "keys").read_text().splitlines()]
    (secret,) = [bytes.fromhex(words[2]) for words in lines if words[0] == "CLIENT_TRAFFIC_SECRET_0"]
    assert len(secret) == 48, "this test knows TLS_AES_256_GCM_SHA384"
    flood = _key_updates(secret, 30_000)
    os.set_blocking(far.fileno(), True)
    turns: list[float] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.to_thread.run_sync, _write_all, far.fileno(), flood)
        over = False
        while not over:
            with trio.fail_after(60):
                await trio.lowlevel.wait_readable(near.fileno())
            began = time.thread_time()
            over = near.receive_nowait() == b""
            turns.append(time.thread_time() - began)
    assert max(turns) < sum(turns) / 3
    near.close()
    far.close()


def _write_all(number: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(number, view) :]
    with socket.socket(fileno=os.dup(number)) as end:
        end.shutdown(socket.SHUT_WR)
