"""The `signed` filter: whether an event bears a good OpenPGP signature of its author."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import attrs

import voeflow

from ._ivoids import folded
from ._keyring import Key, check_installed, read_keyring
from ._signatures import FAULTS, Finding, findings

#: Where a packet may name an author: other filters find them all, if it breaks its grammar.
_ALL_AUTHORS = voeflow.XPath('//*[local-name()="AuthorIVORN"]')

_FINGERPRINT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


# Not `inline`: a signature takes a tenth of a millisecond, and hashing a megabyte some more.
@attrs.frozen
class Signed:
    """Pass events with a good OpenPGP signature of their own author.

    Both ways of signing that are in use are read: detached after the element, as Comet's appendix has it, and
    clear-signed in comments, after Denny's IVOA Note of 2008, as Dakota does. `keys` is a directory of public
    keys, as `gpg --export --armor` writes them, with any file names: every file in it that is not hidden
    must be one. It is read when the node starts and at each reload.

    A good signature is not enough: it has to be the author's. A key may sign for the AuthorIVORN that it has
    as a User ID, which is what Denny's Note asks of keys. Where you would rather say it yourself, `authors`
    names for each AuthorIVORN, or the beginning of one and a `*`, the fingerprints that may sign for it; then
    User IDs do not count, and events of other authors do not pass. Of several names that fit, the most exact
    one counts.

    The reason says whose key it was, or what is wrong: `not signed`, `unknown key`, `wrong signature` (the
    event was changed), `wrong author` (good, but of a key that may not sign for this one), `expired key`,
    `expired signature`, `revoked key`, `not yet valid`, `weak signature` (SHA-1), `too old` or `unreadable
    signature`. It needs the extra `voeflow[openpgp]`.

        [filters.genuine]
        plugin = "signed"
        keys = "keys"
        authors = { "ivo://obspm.gepi/*" = "4CB42AFBC5BDE04ECA3419C602DAC4A3FD579E29" }
        max_age = "1 day"
    """

    keys: Path = attrs.field(metadata={"help": "the directory with the authors' public keys"})
    authors: Mapping[str, str | tuple[str, ...]] = attrs.field(
        factory=dict,
        metadata={
            "help": "which fingerprints may sign for an AuthorIVORN, or the beginning of one and a *: one"
            " or a list; if left out, a key may sign for the AuthorIVORNs among its User IDs"
        },
    )
    max_age: voeflow.Seconds | None = attrs.field(
        default=None,
        metadata={
            "help": "how long before the event came in it may have been signed, against old events sent again"
        },
    )
    _ring: tuple[Key, ...] = attrs.field(init=False, repr=False)
    _allowed: tuple[tuple[str, frozenset[str]], ...] = attrs.field(init=False, repr=False, eq=False)

    @keys.validator
    def _check_keys(self, _: object, keys: Path) -> None:
        if not self._ring:
            read_keyring(keys)  # which says why

    @authors.validator
    def _check_authors(self, _: object, authors: Mapping[str, str | tuple[str, ...]]) -> None:
        for author, fingerprints in authors.items():
            if "*" in author[:-1] or not (folded(author).startswith("ivo://") or author == "*"):
                shown = voeflow.printable(author)
                raise ValueError(f'expected AuthorIVORNs, or the beginning of one and a *, got "{shown}"')
            if not _listed(fingerprints):
                raise ValueError(f'expected at least one fingerprint for "{voeflow.printable(author)}"')
            for each in _listed(fingerprints):
                if not _FINGERPRINT.fullmatch(_plain(each)):
                    raise ValueError(
                        f'expected the fingerprint of a key, 40 (or 64) hexadecimal digits, got "{each}"; '
                        "`gpg --fingerprint` shows it"
                    )
                if self._ring and not any(key.has(_plain(each)) for key in self._ring):
                    raise ValueError(f'the key "{each}" is not in {self.keys}: put it there')

    @max_age.validator
    def _check_age(self, _: object, age: float | None) -> None:
        if age is not None and age <= 0:
            raise ValueError("expected a duration above 0")

    @_ring.default
    def _read_keys(self) -> tuple[Key, ...]:
        check_installed()
        try:
            return read_keyring(self.keys)
        except ValueError:  # which is a mistake of `keys`: its validator tells it
            return ()

    @_allowed.default
    def _read_authors(self) -> tuple[tuple[str, frozenset[str]], ...]:
        allowed = {folded(author): frozenset(map(_plain, _listed(by))) for author, by in self.authors.items()}
        return tuple(sorted(allowed.items(), key=lambda each: (each[0].endswith("*"), -len(each[0]))))

    def matches(self, event: voeflow.Event) -> voeflow.Verdict:
        """Say whether one of the event's signatures is good and its author's; else what is wrong."""
        faults = []
        for finding in findings(event, self._ring, voeflow.utcnow()):
            judged = finding if finding.fault else self._of_author(finding, event)
            if not judged.fault:
                return voeflow.Verdict(True, f"signed by {judged.key}")
            faults.append(judged)
        told = min(faults, key=lambda each: FAULTS.index(each.fault))
        return voeflow.Verdict(False, voeflow.printable(str(told), 400))

    def _of_author(self, finding: Finding, event: voeflow.Event) -> Finding:
        """Judge a good signature: whether it is the author's, and of now."""
        assert finding.key is not None
        assert finding.made is not None
        may_not = [each for each in _authors(event) if not self._may_sign(finding.key, folded(each))]
        if may_not:
            who = voeflow.printable(may_not[0], 100) or "an event without an AuthorIVORN"
            return attrs.evolve(
                finding, fault="wrong author", detail=f"{finding.key} signed it, and may not sign for {who}"
            )
        age = (event.received - finding.made).total_seconds()
        if self.max_age is not None and age > self.max_age:
            return attrs.evolve(
                finding,
                fault="too old",
                detail=f"{finding.key} signed it {voeflow.show_seconds(round(age))} before it came in",
            )
        return finding

    def _may_sign(self, key: Key, author: str) -> bool:
        if not self.authors:
            return bool(author) and author in map(folded, key.user_ids)
        for named, fingerprints in self._allowed:  # the exact ones first, then the longer beginnings
            if author.startswith(named[:-1]) if named.endswith("*") else author == named:
                return any(map(key.has, fingerprints))
        return False


def _authors(event: voeflow.Event) -> list[str]:
    """Give all that a packet names as authors, each once: its own first, empty if it has none."""
    found = event.xpath(_ALL_AUTHORS)
    assert isinstance(found, list)
    named = [str(each.xpath("string()")).strip() for each in found if not isinstance(each, str)]
    return list(dict.fromkeys([(event.author or "").strip(), *filter(None, named)]))


def _listed(fingerprints: str | tuple[str, ...]) -> tuple[str, ...]:
    return (fingerprints,) if isinstance(fingerprints, str) else fingerprints


def _plain(fingerprint: str) -> str:
    """Give a fingerprint as it is compared; gpg shows it in groups of four."""
    return "".join(fingerprint.split()).removeprefix("0x").lower()
