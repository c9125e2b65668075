"""Ports and remotes in TLS, over real sockets: who is let in, who may say what, and what is told."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
import trio.testing
from structlog.testing import capture_logs

from support.certificates import Authority, Certified
from support.samples import voevent
from transports.vtp_node import FakeNode, Peer, connected, running, still, told_logs
from transports.vtp_support import clock
from voeflow_transports.vtp._addresses import Address
from voeflow_transports.vtp._binding import Binding
from voeflow_transports.vtp._messages import write_ack, write_authenticate
from voeflow_transports.vtp._submit import Outcome, UnreachableError, submit_all
from voeflow_transports.vtp._tls import ClientTLS, ServerTLS
from voeflow_transports.vtp.broadcast import VTPBroadcast
from voeflow_transports.vtp.receive import VTPReceive
from voeflow_transports.vtp.subscribe import VTPSubscribe

ONE = voevent("ivo://obspm.gepi/svom#1")


@attrs.frozen
class Place:
    authority: Authority
    server: Certified
    svom: Certified
    other: Certified


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    authority = Authority(tmp_path_factory.mktemp("certificates"))
    return Place(
        authority,
        authority.certify("server", "localhost", "127.0.0.1"),
        authority.certify("svom", "fsc.example.org", subject="svom-fsc"),
        authority.certify("other", "elsewhere.example.org", subject="elsewhere"),
    )


def server(place: Place, *, clients: bool = False) -> ServerTLS:
    return ServerTLS(
        certificate=place.server.certificate,
        key=place.server.key,
        client_ca=place.authority.path if clients else None,
    )


def client(place: Place, shown: Certified | None = None) -> ClientTLS:
    return ClientTLS(
        ca=place.authority.path,
        certificate=shown.certificate if shown is not None else None,
        key=shown.key if shown is not None else None,
    )


def receive(**options: Any) -> VTPReceive:
    return VTPReceive(**{"listen": ("127.0.0.1:0",), "linger": 0.0, **options})


def broadcast(**options: Any) -> VTPBroadcast:
    return VTPBroadcast(**{"listen": ("127.0.0.1:0",), **options})


async def send(port: int, tls: ClientTLS | None, *packets: bytes) -> list[Outcome]:
    """Submit packets as `voeflow send` does; one that cannot reach the port gives what it says."""
    outcomes: list[Outcome] = []

    async def load(number: int) -> bytes:
        await trio.lowlevel.checkpoint()
        return packets[number]

    secured = tls.towards("localhost") if tls is not None else None
    await submit_all(
        Address("127.0.0.1", port),
        len(packets),
        load,
        10.0,
        lambda _, outcome: outcomes.append(outcome),
        secured,
    )
    return outcomes


@asynccontextmanager
async def connected_in_tls(port: int, tls: ClientTLS) -> AsyncIterator[Peer]:
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        secured = tls.towards("localhost")
        inside = trio.SSLStream(stream, secured.context, server_hostname="localhost", https_compatible=True)
        yield Peer(inside)


async def test_an_author_and_a_subscriber_in_tls_are_served_as_others_are(place: Place) -> None:
    node = FakeNode()
    async with running(receive(tls=server(place)), node) as (listener,):
        outcomes = await send(listener.port, client(place), ONE, b"no event")
    assert [each.kind for each in outcomes] == ["accepted", "refused"]
    assert [each.raw for each in node.submitted] == [ONE, b"no event"]

    upstream, downstream = FakeNode(), FakeNode()
    async with running(broadcast(tls=server(place)), upstream) as (listener,):
        remote = Address("localhost", listener.port)
        subscriber = VTPSubscribe(remote=(str(remote),), tls=client(place))
        async with running(subscriber, downstream):
            await downstream.until(lambda: downstream.signs)
            large = voevent("ivo://a.b/c#2", body=f"<What><Description>{'x' * 900_000}</Description></What>")
            upstream.carry(ONE, large)
            await downstream.until(lambda: len(downstream.submitted) == 2)
    assert [each.raw for each in downstream.submitted] == [ONE, large]


async def test_one_that_begins_no_tls_keeps_no_other_waiting_and_is_told(
    place: Place, autojump_clock: trio.testing.MockClock
) -> None:
    with capture_logs() as logs:
        async with (
            running(receive(tls=server(place), handshake_timeout=0.3), FakeNode()) as (listener,),
            connected(listener.port) as silent,
        ):
            assert [each.kind for each in await send(listener.port, client(place), ONE)] == ["accepted"]
            assert await silent.closed()
    (told,) = [each for each in logs if each["event"] == "no TLS with a client"]
    assert told["reason"] == "began no TLS in 300 ms: does it wait for us to speak, without TLS?"
    assert told["peer"].startswith("127.0.0.1:")


async def test_plain_and_tls_that_meet_are_told_at_both_ends(place: Place) -> None:
    with capture_logs() as logs:
        async with running(receive(tls=server(place)), FakeNode()) as (listener,):
            (outcome,) = await send(listener.port, None, ONE)
        assert outcome.kind == "unanswered"
        assert outcome.note == "speaks TLS, and this end does not: set tls at both ends or at neither"
    assert [each["reason"] for each in logs if each["event"] == "no TLS with a client"] == [
        "speaks without TLS, and this port takes nothing else"
    ]
    with capture_logs() as logs:
        async with running(receive(), FakeNode()) as (listener,):
            with pytest.raises(UnreachableError, match="closed the connection in the TLS handshake"):
                await send(listener.port, client(place), ONE)
            await _until_told(logs, "author cut off")
    (told,) = [each for each in logs if each["event"] == "author cut off"]
    assert told["reason"] == "speaks TLS, and this end does not: set tls at both ends or at neither"


async def test_a_subscriber_and_a_broker_that_do_not_both_speak_tls_are_told(place: Place) -> None:
    for broker, tls, reason in (
        (broadcast(), client(place), "speaks without TLS: set tls at both ends or at neither"),
        (broadcast(tls=server(place), handshake_timeout=0.2), None, "or one for TLS?"),
    ):
        with capture_logs() as logs:
            async with running(broker, FakeNode()) as (listener,):
                remote = (f"localhost:{listener.port}",)
                subscriber = VTPSubscribe(remote=remote, tls=tls if tls is not None else False)
                async with running(subscriber, FakeNode()):
                    await _until_told(logs, "not subscribed")
        told = next(each for each in logs if each["event"] == "not subscribed")
        assert told["reason"].endswith(reason)


@pytest.mark.parametrize(
    ("allow", "svom", "other", "nobody"),
    [
        (("cert:CN=svom-fsc",), True, False, False),
        (("cert:*",), True, True, False),
        (("127.0.0.1",), True, True, True),
        (("127.0.0.1 cert:CN=svom-fsc",), True, False, False),
        (("192.0.2.0/24 cert:*",), False, False, False),
        (("192.0.2.0/24", "cert:CN=svom-fsc"), True, False, False),
        (("127.0.0.0/8", "cert:CN=svom-fsc"), True, True, True),
    ],
)
async def test_who_is_let_in_is_said_by_network_and_by_certificate(
    place: Place, allow: tuple[str, ...], svom: bool, other: bool, nobody: bool
) -> None:
    bind = (Binding(peers=("cert:*",), authors=("*",)),)  # so that client_ca is of use in each case
    options = {"allow": allow, "authors": ("*",), "bind": bind, "tls": server(place, clients=True)}
    with capture_logs() as logs:
        async with running(receive(**options), FakeNode()) as (listener,):
            for shown, admitted in ((place.svom, svom), (place.other, other), (None, nobody)):
                try:
                    (outcome,) = await send(listener.port, client(place, shown), ONE)
                    reached = outcome.kind == "accepted"
                except UnreachableError:
                    reached = False
                assert reached is admitted
    told = [each for each in logs if each["event"] == "connection refused"]
    if svom and not other:  # one line a minute and address
        assert told[0]["reason"] == "not in allow"
        assert told[0].get("certificate", "CN=elsewhere").endswith("CN=elsewhere")


async def test_a_subscriber_in_tls_that_reads_nothing_is_dropped_and_the_others_get_everything(
    place: Place,
) -> None:
    events = [
        voevent(f"ivo://a.b/c#{number}", body=f"<What><Description>{'x' * 300_000}</Description></What>")
        for number in range(20)
    ]
    node = FakeNode()
    with capture_logs() as logs:
        async with (
            running(broadcast(tls=server(place), max_unsent=2**20), node) as (listener,),
            connected_in_tls(listener.port, client(place)) as deaf,
            connected_in_tls(listener.port, client(place)) as good,
        ):
            for peer in (deaf, good):
                await peer.message()
                await peer.send(write_authenticate("ivo://a.b/c", clock))
            for event in events:
                node.carry(event)
                assert await good.event() == event
                await good.send(write_ack(event_ivorn(event), "", clock))
            with trio.fail_after(60):
                await _until_told(logs, "subscriber dropped")
    (told,) = [each for each in logs if each["event"] == "subscriber dropped"]
    assert "took too little" in told["reason"]


def event_ivorn(event: bytes) -> str:
    return event.partition(b'ivorn="')[2].partition(b'"')[0].decode()


async def test_a_certificate_alone_may_be_trusted(place: Place) -> None:
    tls = ServerTLS(
        certificate=place.server.certificate, key=place.server.key, client_ca=place.svom.certificate
    )
    pinned = ClientTLS(ca=place.server.certificate, certificate=place.svom.certificate, key=place.svom.key)
    async with running(receive(tls=tls, allow=("cert:*",)), FakeNode()) as (listener,):
        assert [each.kind for each in await send(listener.port, pinned, ONE)] == ["accepted"]
        (refused,) = await send(listener.port, client(place, place.other), ONE)
        assert "does not trust who signed this end's certificate" in refused.note


async def test_who_may_subscribe_is_said_in_the_same_way(place: Place) -> None:
    tls = server(place, clients=True)
    with told_logs() as logs:
        async with running(broadcast(allow=("cert:CN=svom-fsc",), tls=tls), FakeNode()) as (listener,):
            async with connected_in_tls(listener.port, client(place, place.svom)) as peer:
                assert (await peer.message()).role == "authenticate"
            async with connected_in_tls(listener.port, client(place, place.other)) as peer:
                assert await peer.closed()
    assert [each["certificate"].rpartition("CN=")[2] for each in logs if "certificate" in each] == [
        "svom-fsc",
        "svom-fsc",
        "elsewhere",
    ]


def by(author: str | None, ivorn: str = "ivo://obspm.gepi/svom#1") -> bytes:
    packet = voevent(ivorn)
    start, stop = packet.index(b"<AuthorIVORN>"), packet.index(b"</AuthorIVORN>") + len(b"</AuthorIVORN>")
    who = f"<AuthorIVORN>{author}</AuthorIVORN>".encode() if author is not None else b""
    return packet[:start] + who + packet[stop:]


async def test_who_may_speak_for_whom_is_said_by_certificate_and_by_network(place: Place) -> None:
    bound = receive(
        allow=("127.0.0.1",),
        authors=("ivo://org.example/open",),
        bind=(
            Binding(peers=("cert:CN=svom-fsc",), authors=("ivo://obspm.gepi/*",)),
            Binding(peers=("192.0.2.0/24",), authors=("ivo://nasa.gsfc/*",)),
        ),
        tls=server(place, clients=True),
        validate="wellformed",
    )
    node = FakeNode()
    packets = [
        by("ivo://OBSPM.gepi/svom"),
        by("ivo://org.example/open"),
        by("ivo://nasa.gsfc/gcn\x1b[31m".replace("\x1b", "\u202e")),
        by(None),
        by(None, "ivo://nasa.gsfc/gcn#1"),
    ]
    async with running(bound, node) as (listener,):
        svom = await send(listener.port, client(place, place.svom), *packets)
        other = await send(listener.port, client(place, place.other), *packets)
        nobody = await send(listener.port, client(place), packets[0])
    assert [each.kind for each in svom] == ["accepted", "accepted", "refused", "accepted", "refused"]
    assert [each.kind for each in other] == ["refused", "accepted", "refused", "refused", "refused"]
    assert [each.kind for each in nobody] == ["refused"]
    assert other[0].note == "this peer may not speak for the author ivo://OBSPM.gepi/svom"
    assert svom[2].note == "this peer may not speak for the author ivo://nasa.gsfc/gcn\\u202e[31m"
    assert svom[4].note == (
        "it names no author (Who/AuthorIVORN), and this peer may not speak for its ivorn either"
    )


@pytest.mark.parametrize(
    ("where", "what"),
    [
        ("</AuthorIVORN>", "</AuthorIVORN><AuthorIVORN>ivo://nasa.gsfc/gcn</AuthorIVORN>"),
        ("</Who>", "</Who><Who><AuthorIVORN>ivo://nasa.gsfc/gcn</AuthorIVORN></Who>"),
        ("</Who>", "</Who><What><Who><AuthorIVORN>ivo://nasa.gsfc/gcn</AuthorIVORN></Who></What>"),
        (
            "</AuthorIVORN>",
            "</AuthorIVORN><x:AuthorIVORN xmlns:x='urn:x'>ivo://nasa.gsfc/gcn</x:AuthorIVORN>",
        ),
        (
            "</AuthorIVORN>",
            "</AuthorIVORN><Author><AuthorIVORN>\n<!---->ivo://nasa.gsfc/gcn</AuthorIVORN></Author>",
        ),
    ],
    ids=["twice", "another Who", "below What", "another namespace", "deeper"],
)
async def test_no_second_author_comes_in_beside_one_that_a_peer_may_speak_for(where: str, what: str) -> None:
    binding = Binding(peers=("127.0.0.1",), authors=("ivo://obspm.gepi/*",))
    packet = by("ivo://obspm.gepi/svom").replace(where.encode(), what.encode(), 1)
    async with running(receive(bind=(binding,), validate="wellformed"), FakeNode()) as (listener,):
        forged, honest = await send(listener.port, None, packet, by("ivo://obspm.gepi/svom"))
    assert (forged.kind, honest.kind) == ("refused", "accepted")
    assert forged.note == "it names another author than in Who/AuthorIVORN, or more than one"


async def test_the_streams_of_a_peers_events_may_be_bound_too(place: Place) -> None:
    binding = Binding(
        peers=("127.0.0.1",), authors=("ivo://obspm.gepi/*",), streams=("ivo://obspm.gepi/svom",)
    )
    packets = [
        by("ivo://obspm.gepi/x", ivorn) for ivorn in ("ivo://obspm.gepi/svom#1", "ivo://nasa.gsfc/gcn#1")
    ]
    async with running(receive(bind=(binding,)), FakeNode()) as (listener,):
        ours, theirs = await send(listener.port, None, *packets)
    assert ours.kind == "accepted"
    assert theirs.note == "this peer may not use an ivorn of the stream of ivo://nasa.gsfc/gcn#1"


async def test_a_renewed_certificate_is_taken_up_and_connections_go_on(place: Place, tmp_path: Path) -> None:
    files = Authority(tmp_path)
    first = files.certify("port", "localhost")
    tls = ServerTLS(certificate=first.certificate, key=first.key)
    transport, node = broadcast(tls=tls), FakeNode()
    trusting = ClientTLS(ca=files.path)
    async with (
        running(transport, node) as (listener,),
        connected_in_tls(listener.port, trusting) as before,
    ):
        assert (await before.message()).role == "authenticate"
        old = await _shown(listener.port, files)
        files.certify("port", "localhost")  # the same files
        await trio.to_thread.run_sync(transport.reload)
        renewed = await _shown(listener.port, files)
        assert old != renewed

        first.key.write_text("no key")
        with pytest.raises(OSError, match="PEM"):
            transport.reload()
        assert await _shown(listener.port, files) == renewed

        await before.send(write_ack("ivo://a.b/c#0", "", clock))
        node.carry(ONE)
        assert await before.event() == ONE


async def _shown(port: int, authority: Authority) -> str:
    return await trio.to_thread.run_sync(
        partial(ssl.get_server_certificate, ("localhost", port), ca_certs=str(authority.path), timeout=60)
    )


async def test_a_certificate_that_ends_soon_or_has_ended_is_told(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    for name, expired, told in (("old", True, "certificate has ended"), ("new", False, "")):
        certified = authority.certify(name, "localhost", expired=expired)
        tls = ServerTLS(certificate=certified.certificate, key=certified.key)
        with capture_logs() as logs:
            async with running(receive(tls=tls), FakeNode()):
                await still()
        warnings = [each["event"] for each in logs if each["log_level"] == "warning"]
        assert bool(warnings) is expired
        assert all(each.startswith(told) for each in warnings)
        (listening,) = [each for each in logs if each["event"] == "listening"]
        assert listening["tls"] == "localhost"


async def _until_told(logs: Any, event: str) -> None:
    with trio.fail_after(60):
        while not any(each["event"] == event for each in logs):  # noqa: ASYNC110 - nobody tells of a log line
            await trio.sleep(0.01)
