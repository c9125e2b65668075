"""What fuzzing begins from, and all that it has found, goes through every target without a fault."""

from __future__ import annotations

import pytest

from fuzz import CORPUS, TARGETS, corpus, target


def test_every_target_has_a_corpus_and_every_corpus_a_target() -> None:
    assert {path.name for path in CORPUS.iterdir()} == set(TARGETS)


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_takes_its_corpus_and_pieces_of_it(name: str) -> None:
    one = target(name)
    files = corpus(name)
    assert files
    for path in files:
        data = path.read_bytes()
        one(data)
        for cut in range(0, len(data), max(1, len(data) // 16)):
            one(data[:cut])
            one(data[:cut] + data[cut + 1 :])


def test_what_was_signed_is_good() -> None:
    from fuzz.signatures import _filter

    import voeflow

    signed = [path for path in corpus("signatures") if path.name.startswith("signed-")]
    assert len(signed) >= 4
    for path in signed:
        assert _filter().matches(voeflow.Event.parse(path.read_bytes())).holds, path.name


def test_every_input_is_as_long_as_it_may_be_at_most() -> None:
    too_long = [path.name for name in TARGETS for path in corpus(name) if path.stat().st_size > TARGETS[name]]
    assert too_long == []
