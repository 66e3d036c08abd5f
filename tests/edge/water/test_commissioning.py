"""``vigil-edge water probe``: one look at a probe, over its real protocol."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import pytest

from vigil_edge.cli import main
from vigil_edge.water.descriptions import described, known
from vigil_edge.water.settings import WaterSettings
from vigil_sim.water.device import ModbusSonde, SignalRegister


async def looked(
    capsys: pytest.CaptureFixture[str],
    signals: list[SignalRegister],
    truth: Mapping[str, float],
    *words: str,
    transport: Literal["tcp", "rtu", "rtu-over-tcp"] = "tcp",
    **keys: Any,
) -> list[dict[str, Any]]:
    first = asyncio.Event()
    sonde = ModbusSonde(
        lambda _: truth, signals, device="s", interval_s=0.01, transport=transport,
        observer=lambda *_: first.set(), **keys,
    )  # fmt: skip
    await sonde.start()
    try:
        async with asyncio.timeout(60):
            await first.wait()
        line = ["water", "probe", sonde.address, "--timeout", "30", *words]
        assert await asyncio.to_thread(main, line) == 0
    finally:
        await sonde.stop()
    return [json.loads(one) for one in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize("name", known())
async def test_every_description_reads_a_probe_that_is_so(
    capsys: pytest.CaptureFixture[str], name: str
) -> None:
    description = described(name)
    truth = {s.name: (number + 2) * s.scale for number, s in enumerate(description.signal)}
    signals = [
        SignalRegister(
            s.name, s.register_, s.unit, s.table, s.type, s.byte_order, s.scale, s.offset
        )
        for s in description.signal
    ]
    found = await looked(capsys, signals, truth, "--description", name)
    assert {one["signal"]: one["value"] for one in found} == pytest.approx(truth)
    section: dict[str, Any] = {"device": "d", "driver": "modbus-tcp", "address": "h"}
    section |= {"signal": [signal.section() for signal in description.signal]}
    made = WaterSettings.model_validate(section)
    assert [s.register_ for s in made.signal] == [s.register_ for s in description.signal]
    assert description.title_zh
    assert description.source


async def test_words_under_every_order_and_one_address_to_each_side(
    capsys: pytest.CaptureFixture[str],
) -> None:
    signal = SignalRegister("pH", 101, "pH", byte_order="CDAB")
    (found,) = await looked(
        capsys, [signal], {"pH": 7.5}, "--register", "100", "--unit", "7",
        unit=7, refused={102: 2}, transport="rtu",
    )  # fmt: skip
    # 100 and 101 can be read (0 where nothing is), 102 is refused.
    assert found["words"] == ["0000", "0000"]
    assert set(found["orders"]) == {"ABCD", "CDAB", "BADC", "DCBA"}
    assert "exception 2" in found["beside"]["101"]
    (found,) = await looked(
        capsys, [signal], {"pH": 7.5}, "--register", "0x65", "--driver", "modbus-rtu-over-tcp",
        transport="rtu-over-tcp",
    )  # fmt: skip
    assert found["words"] == ["0000", "40f0"]
    assert found["orders"]["CDAB"] == 7.5
    assert set(found["beside"]) == {"100", "102"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["127.0.0.1:1", "--timeout", "5"], "probe-unreachable"),
        (["127.0.0.1:502", "--description", "nobody"], "shipped are"),
        (["127.0.0.1:502", "--unit", "300"], "unit"),
    ],
)
def test_what_cannot_be_read_is_one_line(
    capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert main(["water", "probe", *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert err.count("\n") == 1


def test_a_description_of_ones_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('title = "x"\ntitle_zh = "x"\nsource = "x"\n[[signal]]\nname = "9"\n')
    assert main(["water", "probe", "h", "--description", str(path)]) == 2
    assert "signal.0.name" in capsys.readouterr().err
    path.write_text(f"title = {'9' * 5000}")
    assert main(["water", "probe", "h", "--description", str(path)]) == 2
    assert "shipped are" in capsys.readouterr().err
