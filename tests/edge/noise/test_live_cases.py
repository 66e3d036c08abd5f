"""Cases of a live noise camera that fail, wait or find no room."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from edge.noise.conftest import NotebookContext
from edge.noise.live_camera import (
    FULL_SCALE_DB,
    Away,
    cancelled,
    loud_once,
    noise_camera,
    pcm,
    until,
)
from edge.noise.street import mjpeg_camera, pcm_server
from edge.noise.tones import silence, tone
from vigil_edge.device.seam import PipelineContext
from vigil_edge.noise import case_process, evidence, live
from vigil_edge.noise.evidence import Spool
from vigil_edge.noise.meter.levels import pascal_per_unit
from vigil_edge.noise.pipeline import build
from vigil_schemas.evidence import EvidenceManifest, EvidenceReference


async def test_a_case_interrupted_before_its_event_is_sent_once(context: NotebookContext) -> None:
    """The context fails after the deposit; the next start deposits and sends the same again."""
    passage = np.concatenate([tone(60, 3), tone(97, 0.5), tone(60, 60)])
    accept: Callable[..., Awaitable[None]] = context.accept

    async def refuse(outgoing: object, state: object = None) -> None:
        raise OSError("disk is gone")

    scale = pascal_per_unit(FULL_SCALE_DB)
    async with pcm_server(passage, pascal_per_unit=scale) as sound:
        context.accept = refuse  # type: ignore[method-assign] # a failing disk
        task = asyncio.create_task(build(noise_camera(pcm(sound)), context).run())
        await until(lambda: context.deposits, context)
        # What is being written now is written even where nobody waits for it any more.
        await until(lambda: list((context.directory / "cases").glob("*/deposited.json")))
        await cancelled(task)
        context.accept = accept  # type: ignore[method-assign, assignment] # is back
        # As if power had failed before the deposit was noted down.
        for note in (context.directory / "cases").glob("*/deposited.json"):
            note.unlink()
        task = asyncio.create_task(build(noise_camera(pcm(sound)), context).run())
        await until(lambda: context.exceedances, context)
        await cancelled(task)
    first, second = (manifest for manifest, _ in context.deposits)
    assert first == second
    assert context.exceedances[0].exceedance_id == first.evidence_id


async def test_a_damaged_case_is_set_aside(context: NotebookContext) -> None:
    damaged = context.directory / "cases" / "20260301T200000000000-deadbeef"
    damaged.mkdir(parents=True)
    (damaged / "case.json").write_text('{"device": "noise-1"')
    async with pcm_server(silence(60), pascal_per_unit=1.0) as port:
        task = asyncio.create_task(build(noise_camera(pcm(port)), context).run())
        await until(lambda: context.counters["case-damaged"] and not damaged.exists())
        await cancelled(task)
    assert damaged.with_suffix(".damaged").is_dir()
    assert Spool(context.directory / "cases").waiting() == []


async def test_a_case_that_finds_no_room_is_encoded_once(
    context: NotebookContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The evidence queue is full while the cloud is away: trying again must cost nothing."""
    monkeypatch.setattr(live, "RETRY_S", 0.0)
    deposit, encode = context.deposit, evidence._encoded
    refusals, encodings = 0, 0

    async def full(manifest: EvidenceManifest, files: Mapping[str, Path]) -> EvidenceReference:
        nonlocal refusals
        refusals += 1
        if refusals <= 3:
            raise Away("no room")
        return await deposit(manifest, files)

    async def counted(where: PipelineContext, folder: Path) -> bool:
        nonlocal encodings
        encodings += 1
        return await encode(where, folder)

    monkeypatch.setattr(context, "deposit", full)
    monkeypatch.setattr(evidence, "_encoded", counted)
    scale = pascal_per_unit(FULL_SCALE_DB)
    async with pcm_server(loud_once(), pascal_per_unit=scale) as sound, mjpeg_camera() as camera:
        task = asyncio.create_task(build(noise_camera(pcm(sound), camera), context).run())
        await until(lambda: context.exceedances, context)
        await cancelled(task)
    assert encodings == 1
    assert context.counters["case-delayed"] == 3
    assert "video.webm" in {file.name for file in context.deposits[0][0].files}


async def test_a_full_spool_costs_the_evidence_and_not_the_event(
    context: NotebookContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence, "MOST_BYTES", -1)
    scale = pascal_per_unit(FULL_SCALE_DB)
    async with pcm_server(loud_once(), pascal_per_unit=scale) as sound:
        task = asyncio.create_task(build(noise_camera(pcm(sound)), context).run())
        await until(lambda: context.exceedances, context)
        await cancelled(task)
    (event,) = context.exceedances
    assert event.level_curve is not None
    assert event.evidence is None
    assert not context.deposits
    assert context.counters["case-not-kept"] == 1
    assert ("degraded", "case-not-kept") in context.reports


async def test_a_case_that_nobody_foresaw_does_not_stop_the_microphone(
    context: NotebookContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(manifest: EvidenceManifest, files: Mapping[str, Path]) -> EvidenceReference:
        raise LookupError("a mistake in the program")

    monkeypatch.setattr(context, "deposit", broken)
    scale = pascal_per_unit(FULL_SCALE_DB)
    async with pcm_server(loud_once(), pascal_per_unit=scale) as sound:
        task = asyncio.create_task(build(noise_camera(pcm(sound)), context).run())
        await until(lambda: context.counters["case-damaged"], context)
        before = len(context.accepted)
        await until(lambda: len(context.accepted) > before)
        await cancelled(task)
    assert [path.suffix for path in (context.directory / "cases").iterdir()] == [".damaged"]


async def test_the_program_for_a_case_is_prepared_while_the_passage_fades(
    context: NotebookContext,
) -> None:
    scale = pascal_per_unit(FULL_SCALE_DB)
    async with pcm_server(loud_once(), pascal_per_unit=scale) as sound:
        task = asyncio.create_task(build(noise_camera(pcm(sound)), context).run())
        await until(lambda: context.prepared, context)
        assert not context.deposits
        await until(lambda: context.deposits, context)
        await cancelled(task)
    assert context.prepared == [list(case_process.PROGRAM)]
