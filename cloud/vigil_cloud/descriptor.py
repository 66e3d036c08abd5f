"""The whole of what a domain of the cloud says of itself, once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from fastapi import APIRouter

from vigil_cloud.cases.port import CaseKind, CaseKinds
from vigil_cloud.config import Settings
from vigil_cloud.domain.descriptor import Described
from vigil_cloud.domain.registry import domains
from vigil_cloud.identity.ends_soon import Source
from vigil_cloud.jobs.port import Job
from vigil_cloud.jobs.work import WorkKind
from vigil_cloud.registers.port import Register


def _no_jobs(_settings: Settings) -> Sequence[Job]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudDomain(Described):
    """One domain, in its room's ``domain.py`` as ``DOMAIN``."""

    routers: tuple[APIRouter, ...] = ()
    public_pages: APIRouter | None = None
    """Pages for people without an account, under ``/p/{name}``. Whoever opens one has no rights:
    it shows and takes what a capability in its address allows, within limits of its own."""
    imports: tuple[str, ...] = ()
    """Addresses under ``/api/v1`` that take files of their own length limit by POST."""
    jobs: Callable[[Settings], Sequence[Job]] = _no_jobs
    """Periodic work, done by one of all processes."""
    ends_soon: tuple[Source, ...] = ()
    """Rights of people that end by themselves: they are told before."""
    work_kinds: tuple[WorkKind, ...] = ()
    """Heavy work that it asks for."""
    case_kinds: tuple[CaseKind, ...] = ()
    registers: tuple[Register, ...] = ()
    """Lists that administrators keep on one page pattern, with files and history."""
    told_by: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By the name of a register, of whichever room: how this domain's actions in the audit log
    begin that say something of that register's entries."""


def cloud_domains() -> Sequence[CloudDomain]:
    """Every registered domain, whole."""
    return [one for one in domains() if isinstance(one, CloudDomain)]


def case_kinds() -> CaseKinds:
    """What the domains say of their cases."""
    return CaseKinds(kind for one in cloud_domains() for kind in one.case_kinds)
