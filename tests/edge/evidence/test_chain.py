"""Packages of one gateway name one another: what is taken out leaves a gap."""

from __future__ import annotations

import zipfile
from collections import Counter
from pathlib import Path

from edge.evidence.test_evidence import exceedance, queue_in
from vigil_edge.evidence.queue import EvidenceQueue
from vigil_schemas.evidence import EvidenceLink, EvidenceManifest


def link_of(queue: EvidenceQueue, sha256: str) -> EvidenceLink:
    with zipfile.ZipFile(queue.folder / f"{sha256}.zip") as archive:
        manifest = EvidenceManifest.model_validate_json(archive.read("manifest.json"))
    assert manifest.chain is not None
    return manifest.chain


async def test_each_package_names_the_one_before_it_also_across_restarts(tmp_path: Path) -> None:
    queue = queue_in(tmp_path)
    first = await queue.deposit(*exceedance(tmp_path / "files", 1))
    second = await queue.deposit(*exceedance(tmp_path / "files", 2))
    again = queue_in(tmp_path)
    third = await again.deposit(*exceedance(tmp_path / "files", 3))

    links = [link_of(again, one.sha256) for one in (first, second, third)]
    assert [link.number for link in links] == [1, 2, 3]
    assert [link.previous for link in links] == [None, first.sha256, second.sha256]


async def test_a_deposit_that_is_repeated_keeps_its_place(tmp_path: Path) -> None:
    """A gateway that lost power between its deposit and the note of it deposits once more."""
    queue = queue_in(tmp_path)
    first = await queue.deposit(*exceedance(tmp_path / "files", 1))
    second = await queue.deposit(*exceedance(tmp_path / "files", 2))

    assert await queue_in(tmp_path).deposit(*exceedance(tmp_path / "files", 1)) == first
    third = await queue_in(tmp_path).deposit(*exceedance(tmp_path / "files", 3))
    assert link_of(queue, third.sha256).previous == second.sha256


async def test_a_chain_that_cannot_be_read_begins_anew_and_is_told(tmp_path: Path) -> None:
    queue = queue_in(tmp_path)
    await queue.deposit(*exceedance(tmp_path / "files", 1))
    (queue.folder / "chain.json").write_text("{torn")
    counts: Counter[str] = Counter()

    fresh = queue_in(tmp_path, counts=counts)
    second = await fresh.deposit(*exceedance(tmp_path / "files", 2))

    assert link_of(fresh, second.sha256) == EvidenceLink(number=1)
    assert counts["evidence-chain-broken"] == 1
    assert (queue.folder / "chain.json.damaged").is_file()
