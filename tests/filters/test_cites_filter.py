from __future__ import annotations

import pytest

import voeflow
from support.samples import voevent
from voeflow.testing import make_event
from voeflow_filters.cites import Cites


def citing(*citations: tuple[str, str]) -> voeflow.Event:
    return make_event(citations=[voeflow.Citation(ivorn, kind) for kind, ivorn in citations])


def oddly_citing(kind: str, ivorn: str) -> voeflow.Event:
    """An event with a citation that breaks the grammar, as some have."""
    cited = f'<EventIVORN cite="{kind}">{ivorn}</EventIVORN>'
    return voeflow.Event.parse(voevent(body=f"<Citations>{cited}</Citations>"))


def test_any_citation_passes_where_nothing_else_is_asked() -> None:
    for kind in ("followup", "supersedes", "retraction"):
        assert Cites().matches(citing((kind, "ivo://a.example/x#1")))


def test_an_event_that_cites_none_does_not_pass() -> None:
    assert Cites().matches(citing()) == voeflow.Verdict(False, "cites no event")


def test_only_the_kinds_asked_for_pass() -> None:
    retraction = Cites(kinds=("retraction",))
    assert retraction.matches(
        citing(("followup", "ivo://a.example/x#1"), ("retraction", "ivo://a.example/x#2"))
    )
    assert not retraction.matches(citing(("supersedes", "ivo://a.example/x#1")))


def test_kind_and_event_must_be_those_of_one_citation() -> None:
    ours = Cites(kinds=("retraction",), ivorns=("ivo://us.example/*",))
    assert ours.matches(citing(("retraction", "IVO://US.example/x#1")))
    assert not ours.matches(
        citing(("retraction", "ivo://a.example/x#1"), ("followup", "ivo://us.example/x#1"))
    )


def test_an_unknown_way_of_citing_passes_nothing() -> None:
    assert not Cites().matches(oddly_citing("sequel", "ivo://a.example/x#1"))


def test_says_what_is_cited_in_printable_text() -> None:
    verdict = Cites().matches(oddly_citing("retraction", " ivo://a.example/x#\u202e1 "))
    assert verdict.holds
    assert verdict.reason.endswith("(retraction)")
    assert verdict.reason.isprintable()


def test_a_kind_misspelt_is_a_mistake_that_names_the_nearest() -> None:
    with pytest.raises(ValueError, match='did you mean "supersedes"'):
        Cites(kinds=("supercedes",))
