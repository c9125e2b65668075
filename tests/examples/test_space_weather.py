"""The example of space weather: its thresholds, the physics of its packets, and the digest of its README."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import voeflow
from voeflow._command import main
from voeflow._pipeline import load_pipeline
from voeflow._plugins import load_plugins
from voeflow_handlers import mail

EXAMPLE = Path(__file__).parents[2] / "examples" / "space-weather"
NINE = datetime(2026, 11, 24, 9, 11, tzinfo=UTC)

#: The mass of a proton in kg (CODATA 2022).
PROTON = 1.67262192595e-27


def packets() -> list[voeflow.Event]:
    paths = sorted(EXAMPLE.glob("packets/*.xml"))
    return [voeflow.Event.parse(path.read_bytes(), source="broker", received=NINE) for path in paths]


def test_what_the_pipeline_expects_of_itself_holds() -> None:
    tested = CliRunner(env={"COLUMNS": "200"}).invoke(main, ["test", str(EXAMPLE / "pipeline.toml")])
    assert (tested.exit_code, tested.stdout.splitlines()[-1]) == (0, "6 tests: 6 passed, 0 failed.")
    readme = (EXAMPLE / "README.md").read_text()
    for line in tested.stdout.splitlines():
        assert line.rstrip() in readme


def test_the_pressures_in_the_packets_are_those_of_their_protons() -> None:
    metres = {"km/s": 1e3, "m/s": 1.0}
    pascal = {"nPa": 1e-9, "Pa": 1.0}
    checked = 0
    for event in packets():
        density = event.params.get("Proton_Density")
        if density is None:
            continue
        speed, pressure = event.params["Solar_Wind_Speed"], event.params["Dynamic_Pressure"]
        expected = PROTON * density.number * 1e6 * (speed.number * metres[speed.unit]) ** 2
        assert pressure.number * pascal[pressure.unit] == pytest.approx(expected, rel=0.01)
        checked += 1
    assert checked == 2


def test_the_fluxes_in_the_packets_are_those_of_their_classes() -> None:
    for event, flux in zip(packets()[:2], (7.4e-5, 3.1e-6), strict=True):
        param = event.params["Peak_Flux"]
        assert param.number * {"W/m2": 1.0, "erg cm-2 s-1": 1e-3}[param.unit] == pytest.approx(flux)


def test_the_digest_is_the_one_in_the_readme(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[EmailMessage] = []

    def send(_: object, message: EmailMessage, **__: Any) -> dict[str, str]:
        sent.append(message)
        return {}

    monkeypatch.setattr(mail, "send", send)
    pipeline = load_pipeline(EXAMPLE / "pipeline.toml", load_plugins(), {})
    handler = pipeline.handlers["digest"].instance
    deliveries = [voeflow.Delivery(event, f"{n}.digest") for n, event in enumerate(packets()[:5])]
    noon = datetime(2026, 11, 24, 12, 0, 20, tzinfo=UTC).timestamp()
    for now in (NINE.timestamp(), noon):
        for each in deliveries:
            with suppress(voeflow.Later):
                handler.handle_at(each.event, each, now)
    (message,) = sent
    text = f"Subject: {message['Subject']}\n\n{message.get_content()}".replace("\r\n", "\n").strip()
    assert text in (EXAMPLE / "README.md").read_text()
