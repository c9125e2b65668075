"""What is installed is found as the standard library finds it."""

from __future__ import annotations

import importlib.metadata
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from voeflow._installed import EntryPoint, entry_points

METADATA = "Metadata-Version: 2.1\nName: voeflow-cta\nVersion: 1.2\n\nName: nobody\nVersion: 9\n"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory in which packages are found first."""
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def install(info: Path, entry_points: str | None, about: str = "METADATA", metadata: str = METADATA) -> None:
    info.mkdir(parents=True)
    (info / about).write_text(metadata, "utf-8")
    if entry_points is not None:
        (info / "entry_points.txt").write_text(entry_points, "utf-8")


def by_the_library(group: str) -> list[EntryPoint]:
    return sorted(
        EntryPoint(f"{each.dist.metadata['Name']} {each.dist.metadata['Version']}", each.name, each.value)
        for each in importlib.metadata.entry_points(group=group)
        if each.dist is not None
    )


@pytest.mark.parametrize("group", ["voeflow", "console_scripts", "pytest11", "nobodys"])
def test_what_is_installed_here_is_what_the_library_finds(group: str) -> None:
    assert entry_points(group) == by_the_library(group)
    assert {each.name for each in entry_points("voeflow")} >= {
        "transports",
        "filters",
        "handlers",
        "mappings",
    }


@pytest.mark.parametrize(
    ("name", "about"), [("voeflow_cta-1.2.dist-info", "METADATA"), ("Voeflow.CTA.egg-info", "PKG-INFO")]
)
def test_a_distribution_is_known_by_its_metadata(site: Path, name: str, about: str) -> None:
    install(
        site / name,
        "[console_scripts]\na = b\n\n# ours\n[voeflow]\n sky=cta.sky:plugin.it \n[x]\nc = d",
        about,
    )
    assert EntryPoint("voeflow-cta 1.2", "sky", "cta.sky:plugin.it") in entry_points("voeflow")
    assert entry_points("voeflow") == by_the_library("voeflow")


def test_the_first_of_a_name_hides_the_others(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(site / "voeflow_cta-1.2.dist-info", "[voeflow]\nsky = cta")
    first = tmp_path / "first"
    install(first / "voeflow.cta-2.dist-info", None)
    assert "sky" in {each.name for each in entry_points("voeflow")}
    monkeypatch.syspath_prepend(first)
    assert "sky" not in {each.name for each in entry_points("voeflow")}
    assert entry_points("voeflow") == by_the_library("voeflow")


def test_what_is_no_distribution_is_passed_over(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (site / "cta.egg-info").write_text("Name: cta\nVersion: 1\n")
    (site / "vast.dist-info").mkdir()
    monkeypatch.syspath_prepend(site / "nowhere")
    assert entry_points("voeflow") == by_the_library("voeflow")


def test_what_does_not_lie_in_a_directory_is_found_too(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(site / "packages.zip", "w") as packages:
        packages.writestr("voeflow_cta-1.2.dist-info/METADATA", METADATA)
        packages.writestr("voeflow_cta-1.2.dist-info/entry_points.txt", "[voeflow]\nsky = cta")
    monkeypatch.syspath_prepend(site / "packages.zip")
    assert EntryPoint("voeflow-cta 1.2", "sky", "cta") in entry_points("voeflow")


def test_what_another_finder_finds_is_found_too(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(site / "elsewhere" / "voeflow_cta-1.2.dist-info", "[voeflow]\nsky = cta")

    class Finder(importlib.metadata.DistributionFinder):
        def find_spec(self, *_: object) -> None:
            """Find no modules."""

        def find_distributions(self, context: object = None) -> Iterator[importlib.metadata.Distribution]:
            yield importlib.metadata.PathDistribution(site / "elsewhere" / "voeflow_cta-1.2.dist-info")

    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Finder()])
    assert EntryPoint("voeflow-cta 1.2", "sky", "cta") in entry_points("voeflow")


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("importlib.metadata", importlib.metadata),
        ("importlib.metadata:Distribution", importlib.metadata.Distribution),
        (
            "importlib.metadata : DistributionFinder.Context [all]",
            importlib.metadata.DistributionFinder.Context,
        ),
    ],
)
def test_an_entry_point_is_imported_as_the_library_would(value: str, found: object) -> None:
    assert EntryPoint("voeflow-cta 1.2", "sky", value).load() is found
    assert importlib.metadata.EntryPoint("sky", value, "voeflow").load() is found
