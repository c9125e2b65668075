from __future__ import annotations

import attrs

from voeflow import Secret


@attrs.frozen
class Server:
    password: Secret


def test_a_secret_shows_itself_only_when_asked_to() -> None:
    secret = Secret("hunter2")
    server = Server(secret)
    shown = [
        str(secret),
        repr(secret),
        f"{secret}",
        f"{secret!r}",
        repr(server),
        str([secret]),
    ]
    shown.append(str(attrs.asdict(server)))
    assert not any("hunter2" in each for each in shown)
    assert secret.reveal() == "hunter2"


def test_secrets_compare_by_what_they_hide() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a")}) == 1


def test_an_empty_secret_is_false() -> None:
    assert not Secret("")
    assert Secret(" ")
