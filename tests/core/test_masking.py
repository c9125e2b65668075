"""A secret of the environment is not told, wherever in a pipeline somebody put it."""

from __future__ import annotations

from pathlib import Path

import pytest

from voeflow import Mistake, PipelineError
from voeflow._masking import is_secret, masked
from voeflow._pipeline import load_pipeline
from voeflow._plugins import load_plugins

SECRET = 'hunter2 is "no" good\tpassword, but it is long enough to be cut where it is shown, and more of it'


@pytest.mark.parametrize("name", ["SMTP_PASSWORD", "GCN_CLIENT_SECRET", "api_token", "SSH_KEY", "PASS"])
def test_a_secret_is_known_by_the_name_of_its_variable(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize("name", ["SITE", "BROKER_HOST", "STATE_DIRECTORY"])
def test_what_has_another_name_is_shown_for_it_has_to_be_mended(name: str) -> None:
    assert not is_secret(name)


@pytest.mark.parametrize(
    "toml",
    [
        'ivoid = "${SMTP_PASSWORD}"',
        'retention = "${SMTP_PASSWORD}"',
        'max_event = "1${SMTP_PASSWORD}"',
        'store = ["${SMTP_PASSWORD}"]',
        '[transports.in]\nplugin = "vtp-receive"\n"${SMTP_PASSWORD}" = 1',
        '[transports.in]\nplugin = "${SMTP_PASSWORD}"',
        '[transports.in]\nplugin = "vtp-receive"\nallow = "${SMTP_PASSWORD}"',
        '[transports.in]\nplugin = "vtp-subscribe"\nremote = "user:${SMTP_PASSWORD}@host"',
        '[handlers.mail]\nplugin = "email"\nto = "a@b.c"\nserver = "smtp:/${SMTP_PASSWORD}"',
        '[handlers.note]\nplugin = "save"\nwhen = "${SMTP_PASSWORD}"',
    ],
)
def test_no_mistake_tells_it(tmp_path: Path, toml: str) -> None:
    path = tmp_path / "pipeline.toml"
    path.write_text(toml + "\n")
    with pytest.raises(PipelineError) as caught:
        load_pipeline(path, load_plugins(), {"SMTP_PASSWORD": SECRET})
    assert "hunter2" not in str(caught.value)


def test_what_was_cut_or_escaped_is_masked_too_and_a_short_text_is_left() -> None:
    mistakes = [Mistake("a.b", f'got "{SECRET[:20]}…" here'.replace('"no"', '\\"no\\"'), "on")]
    (told,) = masked(mistakes, {SECRET: "${PASSWORD}", "on": "${KEY}"})
    assert told == Mistake("a.b", 'got "${PASSWORD}…" here', "on")
