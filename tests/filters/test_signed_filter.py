"""What `signed` says of packets that GnuPG signed, and of those that hostile hands did."""

from __future__ import annotations

import base64
import re
import sys
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pysequoia
import pytest

import voeflow
from support.effort import effort
from support.gnupg import GnuPG, clear_signed, gnupg, in_comment
from support.samples import voevent
from voeflow._pipeline import load_pipeline
from voeflow._plugins import load_plugins
from voeflow_filters.signed import Signed

AUTHOR = "ivo://obspm.gepi/svom"
PACKET = voevent(author=AUTHOR, tail="")
ELEMENT = voeflow.Event.parse(PACKET).element


@pytest.fixture(scope="module")
def gpg() -> Iterator[GnuPG]:
    with gnupg() as home:
        yield home


@pytest.fixture(scope="module")
def key(gpg: GnuPG) -> str:
    return gpg.make(AUTHOR, at="20250101T000000")


@pytest.fixture(scope="module")
def keys(gpg: GnuPG, key: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("keys")
    (directory / "svom.asc").write_bytes(gpg.public(key))
    return directory


def ring(gpg: GnuPG, directory: Path, *keys: str) -> Path:
    directory.mkdir(exist_ok=True)
    for each in keys:
        (directory / f"{each}.asc").write_bytes(gpg.public(each))
    return directory


def verdict(signed: Signed, raw: bytes, received: datetime | None = None) -> voeflow.Verdict:
    return signed.matches(voeflow.Event.parse(raw, received=received))


def fault(signed: Signed, raw: bytes) -> str:
    found = verdict(signed, raw)
    assert not found.holds
    return found.reason.partition(":")[0]


@pytest.mark.parametrize("version", ["1.1", "2.0", "2.1"])
def test_a_detached_signature_of_gnupg_is_good(gpg: GnuPG, key: str, keys: Path, version: str) -> None:
    raw = voevent(author=AUTHOR, version=version, tail="")
    raw += in_comment(gpg.detached(voeflow.Event.parse(raw).element, key))
    assert verdict(Signed(keys), raw) == voeflow.Verdict(True, f"signed by {key} ({AUTHOR})")


@pytest.mark.parametrize("ends", [b"\n", b"\r\n"], ids=["LF", "CR LF"])
def test_a_detached_signature_is_over_the_bytes_as_they_are(
    gpg: GnuPG, key: str, keys: Path, ends: bytes
) -> None:
    raw = PACKET.replace(b"\n", ends)
    comment = in_comment(gpg.detached(voeflow.Event.parse(raw).element, key)).replace(b"\n", ends)
    signed = Signed(keys)
    assert verdict(signed, raw + ends + comment + ends).holds
    assert fault(signed, raw.replace(ends, b" " + ends) + comment) == "wrong signature"


def test_a_detached_signature_of_utf_16_is_over_its_bytes(gpg: GnuPG, key: str, keys: Path) -> None:
    text = voevent(author=AUTHOR, declaration="", tail="").decode()
    comment = in_comment(gpg.detached(text.encode("utf-16-le"), key)).decode()
    raw = "\ufeff".encode("utf-16-le") + f'<?xml version="1.0"?>{text}{comment}'.encode("utf-16-le")
    assert verdict(Signed(keys), raw).holds


WHOLE, INSIDE, DECLARED = "with the comments' ends", "the element alone", "with the declaration"


@pytest.mark.parametrize("signed_text", [WHOLE, INSIDE, DECLARED])
@pytest.mark.parametrize(
    "element", [ELEMENT, ELEMENT.replace(b"\n", b"\r\n"), ELEMENT.replace(b">\n", b">  \t\n")]
)
def test_a_clear_signed_event_is_good(
    gpg: GnuPG, key: str, keys: Path, element: bytes, signed_text: str
) -> None:
    if signed_text == WHOLE:
        raw = clear_signed(gpg.clear(b"-->\n" + element + b"\n<!--", key))
    else:
        declaration = b'<?xml version="1.0"?>\n' if signed_text == DECLARED else b""
        armour = gpg.clear(declaration + element, key).replace(b"-----", b"=====")
        head, _, tail = armour.partition(b"\n\n")
        raw = b'<?xml version="1.0"?>\n<!--\n' + head + b"\n\n-->\n" + element + b"\n<!--\n"
        raw += tail[tail.index(b"=====BEGIN") :] + b"-->\n"
    assert b"--\n-->" not in raw
    assert voeflow.Event.parse(raw).element == element
    assert verdict(Signed(keys), raw).holds
    assert fault(Signed(keys), raw.replace(b"83.633", b"83.634")) == "wrong signature"


def test_how_lines_end_in_clear_signed_text_is_no_change_and_one_line_more_is(
    gpg: GnuPG, key: str, keys: Path
) -> None:
    raw = clear_signed(gpg.clear(b"-->\n" + ELEMENT + b"\n<!--", key))
    for end in (b"\r\n", b"\r", b" \n", b"\t\r\n", b" \r"):
        changed = raw.replace(ELEMENT, ELEMENT.replace(b"\n", end))
        assert verdict(Signed(keys), changed).holds, end
    for end in (b"\n\n", b"\r\r\n", b"\n\r"):  # to a reader of XML, one line end more
        changed = raw.replace(ELEMENT, ELEMENT.replace(b"\n", end))
        assert fault(Signed(keys), changed) == "wrong signature", end


def test_sequoia_clear_signs_what_is_good_too(tmp_path: Path) -> None:
    own = pysequoia.Tsk.generate(user_id=AUTHOR)
    (tmp_path / "own.asc").write_text(str(own.extract_certificate()))
    text = b"-->\n" + ELEMENT + b"\n<!--\n"
    raw = clear_signed(pysequoia.sign(own.signer(), text, mode=pysequoia.SignatureMode.CLEAR))
    assert verdict(Signed(tmp_path), raw).holds


COMMENTED = ELEMENT.replace(b"<Who>", b"<!-- the author\n-->\n<Who>")


def test_a_dash_that_was_escaped_in_a_comment_is_no_change(gpg: GnuPG, key: str, keys: Path) -> None:
    raw = clear_signed(gpg.clear(b"-->\n" + COMMENTED + b"\n<!--", key))
    assert b"\n- -->\n  <Who>" in raw or b"\n- -->\n<Who>" in raw
    assert verdict(Signed(keys), raw).holds
    restored = raw.replace(b"- -->", b"-->")
    assert verdict(Signed(keys), restored).holds


def test_a_dash_that_somebody_put_before_a_value_is_a_change(gpg: GnuPG, key: str, keys: Path) -> None:
    element = ELEMENT.replace(b"<C1>83.633</C1>", b"<C1>\n83.633\n</C1>")
    raw = clear_signed(gpg.clear(b"-->\n" + element + b"\n<!--", key))
    assert verdict(Signed(keys), raw).holds
    assert fault(Signed(keys), raw.replace(b"\n83.633\n", b"\n- 83.633\n")) == "wrong signature"


def test_the_signed_text_must_be_that_of_the_element(gpg: GnuPG, key: str, keys: Path) -> None:
    good = clear_signed(gpg.clear(b"-->\n" + ELEMENT + b"\n<!--", key), declaration=b"")
    other = ELEMENT.replace(b"83.633", b"10.0")
    comment = b"<!--" + good[good.index(b"\n=====BEGIN PGP SIGNATURE") :]
    hidden = b"<?x " + good.replace(b"<!--\n=====BEGIN PGP SIGNED", b"=====BEGIN PGP SIGNED") + b"?>"
    assert fault(Signed(keys), hidden + other + comment) == "wrong signature"
    assert fault(Signed(keys), good[: good.index(b"-->") + 4] + other + comment) == "wrong signature"


def test_not_signed(keys: Path) -> None:
    signed = Signed(keys)
    assert fault(signed, PACKET) == "not signed"
    assert fault(signed, PACKET + b"<!-- nothing of that kind -->") == "not signed"


def test_a_signature_before_or_inside_the_element_is_none(gpg: GnuPG, key: str, keys: Path) -> None:
    comment = in_comment(gpg.detached(ELEMENT, key))
    assert fault(Signed(keys), comment + ELEMENT) == "not signed"
    assert fault(Signed(keys), ELEMENT.replace(b"<Who>", comment + b"<Who>")) == "not signed"


def test_an_event_that_was_changed(gpg: GnuPG, key: str, keys: Path) -> None:
    raw = PACKET.replace(b"83.633", b"83.634") + in_comment(gpg.detached(ELEMENT, key))
    assert fault(Signed(keys), raw) == "wrong signature"


def test_a_key_that_is_not_in_the_keyring(gpg: GnuPG, keys: Path) -> None:
    stranger = gpg.make("ivo://stranger.example/x")
    found = verdict(Signed(keys), PACKET + in_comment(gpg.detached(ELEMENT, stranger)))
    assert found == voeflow.Verdict(False, f"unknown key: {stranger} is not in the keyring")


def test_a_good_signature_of_somebody_else(gpg: GnuPG, key: str, tmp_path: Path) -> None:
    other = gpg.make("ivo://other.example/x")
    keys = ring(gpg, tmp_path / "keys", key, other)
    raw = PACKET + in_comment(gpg.detached(ELEMENT, other))
    found = verdict(Signed(keys), raw)
    assert not found.holds
    assert found.reason == (
        f"wrong author: {other} (ivo://other.example/x) signed it, and may not sign for {AUTHOR}"
    )
    assert verdict(Signed(keys, {"ivo://obspm.gepi/*": other}), raw).holds
    assert verdict(Signed(keys, {"*": (key, other)}), raw).holds
    spaced = " ".join(re.findall("....", other))
    assert verdict(Signed(keys, {AUTHOR.upper().replace("IVO", "ivo"): spaced}), raw).holds
    assert fault(Signed(keys, {AUTHOR: key, "ivo://*": other}), raw) == "wrong author"
    assert fault(Signed(keys, {"ivo://another.example/*": other}), raw) == "wrong author"


SECOND = "<AuthorIVORN>ivo://other.example/z</AuthorIVORN>"


@pytest.mark.parametrize(
    ("where", "second"),
    [("</AuthorIVORN>", SECOND), ("</Who>", f"<Who>{SECOND}</Who>")],
    ids=["twice", "Who"],
)
def test_a_key_has_to_be_that_of_every_author_that_is_named(
    gpg: GnuPG, key: str, keys: Path, where: str, second: str
) -> None:
    element = ELEMENT.replace(where.encode(), (where + second).encode(), 1)
    raw = element + in_comment(gpg.detached(element, key))
    assert "may not sign for ivo://other.example/z" in verdict(Signed(keys, {AUTHOR: key}), raw).reason
    assert verdict(Signed(keys, {AUTHOR: key, "ivo://other.example/*": key}), raw).holds


def test_an_event_without_an_author(gpg: GnuPG, key: str, keys: Path) -> None:
    raw = voevent(body="<What/>", tail="")
    raw += in_comment(gpg.detached(voeflow.Event.parse(raw).element, key))
    assert "an event without an AuthorIVORN" in verdict(Signed(keys), raw).reason


def test_an_expired_key_and_whether_it_signed_before(gpg: GnuPG, tmp_path: Path) -> None:
    old = gpg.make(AUTHOR + "?expired", lasts="1y", at="20200101T000000")
    keys = ring(gpg, tmp_path / "keys", old)
    signed = Signed(keys, {"*": old})
    found = verdict(signed, PACKET + in_comment(gpg.detached(ELEMENT, old, at="20200601T000000")))
    assert found.reason.startswith(f"expired key: {old}")
    assert "expired on 2020-12-31; it was signed before that" in found.reason


def test_an_expired_signature_of_a_key_that_has_not(gpg: GnuPG, key: str, keys: Path) -> None:
    armour = gpg.detached(ELEMENT, key, at="20250601T000000", options=("--default-sig-expire", "7d"))
    found = verdict(Signed(keys), PACKET + in_comment(armour))
    assert found.reason == f"expired signature: that of {key} ({AUTHOR}) expired at 2025-06-08 00:00:00 UTC"


def test_a_revoked_key(gpg: GnuPG, tmp_path: Path) -> None:
    bad = gpg.make(AUTHOR + "?revoked", at="20200101T000000")
    keys = ring(gpg, tmp_path / "keys", bad)
    raw = PACKET + in_comment(gpg.detached(ELEMENT, bad, at="20210101T000000"))
    assert verdict(Signed(keys, {"*": bad}), raw).holds
    gpg.revoke(bad)
    ring(gpg, keys, bad)
    assert fault(Signed(keys, {"*": bad}), raw) == "revoked key"


def test_a_signature_from_the_future_and_from_before_the_key(gpg: GnuPG, key: str, keys: Path) -> None:
    ahead = gpg.detached(ELEMENT, key, at="20900101T000000")
    assert fault(Signed(keys), PACKET + in_comment(ahead)) == "not yet valid"
    early = gpg.detached(ELEMENT, key, at="20190101T000000", options=("--ignore-time-conflict",))
    found = verdict(Signed(keys), PACKET + in_comment(early))
    assert found.reason.startswith("wrong signature: it was signed at 2019-01-01 00:00:00 UTC, before")


def test_a_signature_with_sha_1(gpg: GnuPG, key: str, keys: Path) -> None:
    armour = gpg.detached(ELEMENT, key, options=("--digest-algo", "SHA1"))
    assert fault(Signed(keys), PACKET + in_comment(armour)) == "weak signature"


def test_an_old_event_that_is_sent_again(gpg: GnuPG, key: str, keys: Path) -> None:
    raw = PACKET + in_comment(gpg.detached(ELEMENT, key, at="20260101T000000"))
    signed = Signed(keys, max_age=86400.0)
    at = datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert verdict(signed, raw, at).holds
    assert verdict(signed, raw, at + timedelta(days=2)).reason.startswith("too old: ")


@pytest.mark.parametrize("at_once", [True, False], ids=["one comment", "two comments"])
def test_one_good_signature_of_several_is_enough(gpg: GnuPG, key: str, keys: Path, *, at_once: bool) -> None:
    notary = gpg.make(f"ivo://notary.example/{at_once}")
    if at_once:
        comments = in_comment(gpg.detached(ELEMENT, notary, key))
    else:
        comments = in_comment(gpg.detached(ELEMENT, notary)) + in_comment(gpg.detached(ELEMENT, key))
    assert verdict(Signed(keys), PACKET + comments).holds


def block(data: bytes) -> bytes:
    lines = re.findall(b".{1,64}", base64.b64encode(data))
    return in_comment(
        b"-----BEGIN PGP SIGNATURE-----\n\n" + b"\n".join(lines) + b"\n-----END PGP SIGNATURE-----\n"
    )


def bomb(size: int) -> bytes:
    """A compressed packet (RFC 9580, section 5.6) of zeros, compressed twice."""
    data = bytes(size)
    for _ in range(2):
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        body = b"\x01" + packer.compress(data) + packer.flush()
        data = b"\xc8\xff" + len(body).to_bytes(4, "big") + body
    return data


@pytest.mark.parametrize(
    "comment",
    [
        block(b""),
        block(b"\xff" * 40),
        block(b"\xc2\x05\x04\x00\x16\x0a"),
        block(b"\xc2\xff\xff\xff\xff\xff" + bytes(50)),
        block(b"\x88\x05" + bytes(5)),
        block(bytes(2**15)),
        block(bytes(2**17)),
        block(bomb(2**24)),
        in_comment(b"-----BEGIN PGP SIGNATURE-----\n!!!!\n-----END PGP SIGNATURE-----"),
    ],
    ids=["empty", "rubbish", "cut short", "4 GB", "old form", "32 KiB", "too long", "bomb", "no base64"],
)
def test_what_is_no_signature_is_told_and_harms_nobody(keys: Path, comment: bytes) -> None:
    assert fault(Signed(keys), PACKET + comment) == "unreadable signature"


def test_only_a_few_signatures_are_looked_at(gpg: GnuPG, key: str, keys: Path) -> None:
    junk = block(b"\xff" * 40)
    good = in_comment(gpg.detached(ELEMENT, key))
    assert verdict(Signed(keys), PACKET + junk * 3 + good).holds
    assert fault(Signed(keys), PACKET + junk * 4 + good) == "unreadable signature"


HEAD = b"<!--\n=====BEGIN PGP SIGNED MESSAGE=====\nHash: SHA256\n\n-->\n"
TAIL = b"\n<!--\n=====BEGIN PGP SIGNATURE=====\n\nAAAA\n=====END PGP SIGNATURE=====\n-->"
ROOT = b'<VOEvent ivorn="ivo://a.b/c"%b>%b</VOEvent>'


@pytest.mark.parametrize(
    "raw",
    [
        HEAD + ROOT % (b"".join(b' xmlns:n%d="u:%d"' % (n, n) for n in range(25_000)), b"\n- x\n") + TAIL,
        HEAD + ROOT % (b"", b"\n- x" * 200_000) + TAIL,
        HEAD + ROOT % (b"", b"<!--\n- x-->" * 80_000) + TAIL,
        HEAD + ROOT % (b"", b" " * 900_000 + b"x") + TAIL,
        b"<!--" + b" " * 400_000 + b"-->" + ROOT % (b"", b"") + b" " * 500_000 + TAIL,
        HEAD.replace(b"Hash", b"A: b\n" * 150_000 + b"Hash") + ROOT % (b"", b"") + TAIL,
        ROOT % (b"", b"") + b"<!--" + b"=====BEGIN PGP SIGNATURE=====\n" * 30_000 + b"-->",
        ROOT % (b"", b"") + b"<!--x-->" * 100_000,
        b"<!--x-->" * 100_000 + HEAD + ROOT % (b"", b"") + TAIL,
        ROOT % (b"", b"") + TAIL.replace(b"\n\n", b"\n" + b"A: b\n" * 180_000),
    ],
    ids=["namespaces", "dashes", "comments inside", "blanks", "blanks around", "headers", "beginnings",
         "comments after", "comments before", "armour headers"],
)  # fmt: skip
def test_a_megabyte_made_to_be_slow_is_read_in_a_moment(keys: Path, raw: bytes) -> None:
    signed = Signed(keys)
    assert not signed.matches(voeflow.Event.parse(raw)).holds
    assert effort(signed.matches, lambda: voeflow.Event.parse(raw), below=2) < 2


def test_every_flipped_bit_of_a_signature_is_noticed_or_harmless(gpg: GnuPG, key: str, keys: Path) -> None:
    signed = Signed(keys)
    data = bytes(pysequoia.Sig.from_bytes(gpg.detached(ELEMENT, key)))
    for place in range(len(data)):
        changed = bytes([*data[:place], data[place] ^ 1 << place % 8, *data[place + 1 :]])
        found = verdict(signed, PACKET + block(changed))
        assert found.holds is False or found.reason == f"signed by {key} ({AUTHOR})"
        assert found.reason.isprintable()


def told(directory: Path, keys: str) -> list[str]:
    """What `voeflow check` says of a filter of these keys."""
    path = directory / "pipeline.toml"
    path.write_text(
        f'[transports.in]\nplugin = "vtp-receive"\nlisten = "8098"\n'
        f'[filters.genuine]\nplugin = "signed"\n{keys}\n'
    )
    with pytest.raises(voeflow.PipelineError) as found:
        load_pipeline(path, load_plugins(), {})
    return [str(each) for each in found.value.mistakes if each.where.startswith("filters")]


def test_a_mistake_in_the_keyring_is_told_of_the_key_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (mistake,) = told(tmp_path, 'keys = "none"\nmax_age = "1 day"')
    assert mistake == (
        f"filters.genuine.keys: cannot read {tmp_path / 'none'}: No such file or directory; "
        "expected a directory of public keys"
    )
    monkeypatch.setitem(sys.modules, "pysequoia", None)
    (mistake,) = told(tmp_path, 'keys = "none"')
    assert mistake.startswith("filters.genuine: this filter needs pysequoia, which is not installed")


def test_mistakes_in_the_keyring_are_told(gpg: GnuPG, key: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected a directory of public keys"):
        Signed(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="holds no key"):
        Signed(tmp_path)
    ring(gpg, tmp_path, key)
    (tmp_path / ".hidden").write_text("no key")
    Signed(tmp_path)
    with pytest.raises(ValueError, match="is not in"):
        Signed(tmp_path, {AUTHOR: "0" * 40})
    with pytest.raises(ValueError, match="fingerprint of a key"):
        Signed(tmp_path, {AUTHOR: key[-8:]})
    with pytest.raises(ValueError, match="expected AuthorIVORNs"):
        Signed(tmp_path, {"obspm": key})
    (tmp_path / "README").write_text("our keys")
    with pytest.raises(ValueError, match="README holds no OpenPGP key"):
        Signed(tmp_path)
    (tmp_path / "README").write_bytes(gpg.secret(key))
    with pytest.raises(ValueError, match="holds a secret key"):
        Signed(tmp_path)
