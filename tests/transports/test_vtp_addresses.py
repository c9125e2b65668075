from __future__ import annotations

import pytest

from voeflow_transports.vtp._addresses import Address, read_listen, read_remote
from voeflow_transports.vtp._allow import check_open, read_allow
from voeflow_transports.vtp.broadcast import VTPBroadcast
from voeflow_transports.vtp.receive import VTPReceive


@pytest.mark.parametrize(
    ("text", "address", "shown"),
    [
        ("8098", Address("", 8098), "localhost:8098"),
        (":8098", Address("", 8098), "localhost:8098"),
        ("0.0.0.0:8098", Address("0.0.0.0", 8098), "0.0.0.0:8098"),
        ("[::]:0", Address("::", 0), "[::]:0"),
        ("[fe80::1%eth0]:99", Address("fe80::1%eth0", 99), "[fe80::1%eth0]:99"),
        ("broker.example.org:1", Address("broker.example.org", 1), "broker.example.org:1"),
        ("unix:/run/x", Address(path="/run/x"), "unix:/run/x"),
    ],
)
def test_an_address_to_listen_on(text: str, address: Address, shown: str) -> None:
    assert read_listen(text) == address
    assert str(address) == shown


@pytest.mark.parametrize(
    "text", ["", ":", "host", "host:", "host:x", "host:65536", "host:-1", "::1:80", "[::1]", "[::1]80",
             "[x]:80", "unix:relative", "unix:", "a b:80", "h\n:80", "host:٣"]
)  # fmt: skip
def test_what_is_no_address_to_listen_on(text: str) -> None:
    with pytest.raises(ValueError, match="expected an address to listen on"):
        read_listen(text)


@pytest.mark.parametrize("text", ["localhost:99999", "65536", "[::1]:100000"])
def test_a_port_that_is_too_large_is_told(text: str) -> None:
    with pytest.raises(ValueError, match=r": ports end at 65535$"):
        read_listen(text)
    with pytest.raises(ValueError, match=r"got 'localhost:99999': ports end at 65535$"):
        read_remote("localhost:99999", 8099)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("broker.example.org", Address("broker.example.org", 8099)),
        ("broker.example.org:1", Address("broker.example.org", 1)),
        ("::1", Address("::1", 8099)),
        ("[::1]", Address("::1", 8099)),
        ("[::1]:80", Address("::1", 80)),
        ("1234", Address("1234", 8099)),
        ("unix:/run/x", Address(path="/run/x")),
    ],
)
def test_an_address_to_connect_to(text: str, address: Address) -> None:
    assert read_remote(text, 8099) == address


@pytest.mark.parametrize("text", ["", ":80", "host:", "host:0", "host:x", "1:2:3", "[::1]:", "unix:x"])
def test_what_is_no_address_to_connect_to(text: str) -> None:
    with pytest.raises(ValueError, match="expected an address to connect to"):
        read_remote(text, 8099)


@pytest.mark.parametrize(
    ("networks", "host", "admitted"),
    [
        ((), "127.0.0.1", True),
        ((), "127.8.9.10", True),
        ((), "::1", True),
        ((), "::ffff:127.0.0.1", True),
        ((), "192.0.2.1", False),
        ((), "", True),
        (("192.0.2.0/24",), "192.0.2.255", True),
        (("192.0.2.0/24",), "192.0.3.0", False),
        (("192.0.2.0/24",), "::ffff:192.0.2.7", True),
        (("192.0.2.0/24",), "127.0.0.1", False),
        (("192.0.2.0/24",), "", True),
        (("2001:db8::/32", "192.0.2.9"), "2001:db8::5", True),
        (("2001:db8::/32", "192.0.2.9"), "192.0.2.9", True),
        (("fe80::/10",), "fe80::1%eth0", True),
        (("0.0.0.0/0",), "2001:db8::5", False),
        (("0.0.0.0/0", "::/0"), "2001:db8::5", True),
    ],
)
def test_who_is_admitted(networks: tuple[str, ...], host: str, admitted: bool) -> None:
    assert read_allow(networks).admits(host) is admitted


def test_what_is_no_network_is_named() -> None:
    with pytest.raises(ValueError, match=r"'192\.0\.2\.1/24'.*host bits"):
        read_allow(("192.0.2.1/24",))


@pytest.mark.parametrize("address", ["0.0.0.0:80", "[::]:80", "192.0.2.1:80", "broker.example.org:80"])
def test_listening_further_needs_a_word_on_who_may_come(address: str) -> None:
    with pytest.raises(ValueError, match="name those that may connect"):
        check_open([read_listen("127.0.0.1:80"), read_listen(address)], read_allow(()))
    check_open([read_listen(address)], read_allow(("0.0.0.0/0",)))


@pytest.mark.parametrize("address", ["80", "127.0.0.1:80", "[::1]:80", "localhost:80", "unix:/run/x"])
def test_listening_on_this_machine_needs_none(address: str) -> None:
    check_open([read_listen(address)], read_allow(()))


@pytest.mark.parametrize("transport", [VTPReceive, VTPBroadcast])
def test_a_port_open_to_others_without_allow_is_a_mistake(transport: type[VTPReceive | VTPBroadcast]) -> None:
    with pytest.raises(ValueError, match="allow ="):
        transport(listen=("0.0.0.0:80",))
    transport(listen=("0.0.0.0:80",), allow=("0.0.0.0/0", "::/0"))
