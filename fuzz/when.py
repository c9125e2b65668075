"""`when` expressions: refused with a reason, or decided once every name has an answer."""

from __future__ import annotations

from voeflow._when import parse_when


def one(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    try:
        when = parse_when(text)
    except ValueError as error:
        assert str(error)
        return
    for answer in (True, False):
        known: dict[str, bool] = {}
        while isinstance(asked := when.decide(known), str):
            assert asked in when.names
            assert asked not in known
            known[asked] = answer
        assert asked is when.decide(dict.fromkeys(when.names, answer))
