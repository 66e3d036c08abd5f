"""``vigil-edge enrol https://cloud CODE``: key, certificate, token and a first configuration.

In an order in which a power cut leaves nothing half done: the key is on the disk before it is
asked with, and the configuration, which makes a gateway of the box, comes last. The same command
given again goes on where the former one ended.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from vigil_edge.configuration import tls
from vigil_edge.configuration.device import SectionKind
from vigil_edge.configuration.gateway_file import ConfigError, load, read
from vigil_edge.enrolment import asking, identity
from vigil_edge.enrolment.errors import CloudUnreachable, NotOurs
from vigil_edge.enrolment.starter import Starter, starter

CONFIG: Final = "gateway.toml"


@dataclass(frozen=True, slots=True)
class Asked:
    """What was typed."""

    cloud: str
    code: str
    folder: Path
    data_dir: Path
    ca_file: Path | None

    @property
    def identity(self) -> Path:
        """Where key, certificate, authority and token lie: in the data folder, which the agent
        may write, since it renews them."""
        return self.data_dir / identity.FOLDER

    @property
    def config(self) -> Path:
        """``gateway.toml``."""
        return self.folder / CONFIG


@dataclass(frozen=True, slots=True)
class Done:
    """What this box is now."""

    gateway: str
    config: Path
    ends: datetime
    """Of its certificate."""


def enrol(args: argparse.Namespace, domains: Sequence[SectionKind]) -> Done:
    """Make a gateway of this box. Raises ``EnrolmentFailed``,
    ``ConfigError``, ``OSError``."""
    asked = Asked(
        asking.address_of(args.cloud),
        args.code,
        args.dir.resolve(),
        args.data_dir.resolve(),
        args.ca_file.resolve() if args.ca_file is not None else None,
    )
    offer = _ask(asked, "/gateway-enrolment/offer", {})
    gateway = str(offer.get("gateway", ""))
    asking.check_clock(_moment(offer.get("now")))
    _refuse_another(asked, gateway)
    key = identity.pending_key(asked.identity)
    request = identity.request_pem(identity.request_of(key, gateway))
    given = _ask(asked, "/gateway-enrolment", {"request": request})
    ends = _put(asked, gateway, key, given)
    load(asked.config, domains)
    (asked.identity / identity.PENDING).unlink(missing_ok=True)
    return Done(gateway, asked.config, ends)


def _ask(asked: Asked, path: str, body: dict[str, Any]) -> dict[str, Any]:
    body = {"code": asked.code, **body}
    return asking.post(
        asked.cloud, path, body, trusted=lambda: tls.context(asked.ca_file, None, None)
    )


def _refuse_another(asked: Asked, gateway: str) -> None:
    """A configuration that lies there must be of the same gateway; it is kept as it is. One that
    cannot be used is not in the way: it names files that this is about to write."""
    if not asked.config.exists():
        return
    try:
        tables = read(asked.config).tables
    except ConfigError as error:
        raise NotOurs(f"{asked.config} lies there and cannot be read: {error}") from error
    there = tables.get("gateway", {})
    name = there.get("id") if isinstance(there, dict) else None
    if name != gateway:
        raise NotOurs(f"{asked.config} is of gateway {name!r}, and the code is for {gateway!r}")
    _refuse_other_files(asked, tables.get("cloud", {}))


def _refuse_other_files(asked: Asked, cloud: Any) -> None:
    """A configuration that is kept must read what this is about to write: otherwise the agent goes
    on with a token that ends here, and with another certificate."""
    cloud = cloud if isinstance(cloud, dict) else {}
    folder = asked.identity
    wanted = {"token_file": folder / identity.TOKEN}
    if str(cloud.get("broker", "")).lower().startswith("mqtts:"):
        wanted["certificate_file"] = wanted["key_file"] = folder / identity.IDENTITY
    other = [
        key
        for key, path in wanted.items()
        if (asked.folder / str(cloud.get(key, ""))).resolve() != path.resolve()
    ]
    if other or "token" in cloud:
        lines = ", ".join(f'{key} = "{path}"' for key, path in wanted.items())
        raise NotOurs(
            f"{asked.config} reads its identity elsewhere, and enrolment would end it: write under"
            f" [cloud] {lines} (and no token), then give the command again"
        )


def _put(asked: Asked, gateway: str, key: Any, given: dict[str, Any]) -> datetime:
    try:
        certificate, authority = str(given["certificate"]), str(given["authority"])
        ends = identity.fits(certificate, authority, key, gateway)
        made = Starter(
            gateway,
            str(given["name"]),
            given["latitude"],
            given["longitude"],
            str(given["broker"]),
            asked.cloud,
            asked.data_dir,
            asked.identity,
            asked.ca_file,
        )
        token = str(given["token"])
    except (KeyError, ValueError) as error:
        raise CloudUnreachable(
            f"{asked.cloud} answers what no cloud of ours does: {error}"
        ) from error
    identity.keep(asked.identity, key, certificate, authority)
    identity.write_secret(asked.identity / identity.TOKEN, f"{token}\n".encode())
    if not asked.config.exists():
        identity.write_secret(asked.config, starter(made).encode(), like=asked.data_dir)
    return ends


def _moment(value: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(value))
    except ValueError:
        return None
