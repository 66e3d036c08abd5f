"""``vigil-cloud water``: the register of waterways, what belongs to one incident, and what the
water does with a discharge."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from vigil_cloud.commands.numbers import finite
from vigil_cloud.commands.opening import OPERATOR, Commands, add_command, add_subject, opened
from vigil_cloud.commands.output import beside, written
from vigil_cloud.water import detect_command, trace_command, transport_command


def add(commands: Commands, common: argparse.ArgumentParser) -> None:
    """import, export, remove, rules, velocities, visits, transport, trace, detect."""
    actions = add_subject(commands, "water", "canals, outfalls, gates, and incidents")
    text = "bring in reaches, stations, outfalls, gates and areas; all of the file or nothing"
    bring = add_command(actions, "import", _import, text, common)
    bring.add_argument("file", type=Path, metavar="FILE.csv|FILE.geojson")
    text = "the register as a file that can be imported again; owners are in it"
    add_command(actions, "export", _export, text, common).add_argument("file", type=Path)
    text = "take reaches, points or areas out of the register; a reach takes its points along"
    add_command(actions, "remove", _remove, text, common).add_argument("id", nargs="+")
    rules = add_command(
        actions, "rules", _rules, "show or set what belongs to one incident", common
    )
    rules.add_argument("--join-minutes", type=finite, help="so far apart they are one incident")
    rules.add_argument("--reopen-minutes", type=finite, help="so long after its end it opens again")
    rules.add_argument("--neighbour-m", type=finite, help="neighbours, in metres along the water")
    rules.add_argument("--longest-hours", type=finite, help="what begins later calls anew")
    text = "false alarms of the detector per probe and week; 0: it calls nobody"
    rules.add_argument("--false-per-week", type=finite, help=text)
    text = (
        "velocities of reaches at moments, for the search for sources; all of the file or nothing"
    )
    velocities = add_command(actions, "velocities", _velocities, text, common)
    velocities.add_argument("file", type=Path, metavar="FILE.csv")
    text = "what was found at visits to probes (cleaning, standards), for the evidence of a case"
    visits = add_command(actions, "visits", _visits, text, common)
    visits.add_argument("file", type=Path, metavar="FILE.csv")
    text = "a finding of the same probe, parameter and time counts instead of the one that is there"
    visits.add_argument("--replace", action="store_true", help=text)
    text = "of times that state no zone; by default UTC"
    visits.add_argument("--utc-offset", metavar="+HH:MM", default="UTC", help=text)
    text = "the concentration at a station after a release, as CSV; touches no database"
    transport = add_command(actions, "transport", transport_command.transport, text)
    transport_command.add_options(transport)
    text = "which outfall explains what the stations saw, as JSON; touches no database"
    trace = add_command(actions, "trace", trace_command.trace, text)
    trace_command.add_options(trace)
    text = "flag a recording row by row: sensor faults and water events; touches no database"
    detect = add_command(actions, "detect", detect_command.detect, text)
    detect_command.add_options(detect)


def _format(file: Path) -> str:
    return "csv" if file.suffix.lower() == ".csv" else "geojson"


def _import(options: argparse.Namespace) -> int:
    from vigil_cloud.database.engine import writing
    from vigil_cloud.water import network_files, register

    found = network_files.read(options.file.read_bytes(), _format(options.file))
    with opened(options) as services, writing(services.sessions) as session:
        taken = register.put(session, found, OPERATOR, services.now())
    print(json.dumps(asdict(taken), ensure_ascii=False))
    return 0


def _export(options: argparse.Namespace) -> int:
    from vigil_cloud.water import network_files, register

    with opened(options) as services, services.sessions() as session:
        rows = list(register.shown(session, personal=True))
    csv = _format(options.file) == "csv"
    text = network_files.to_csv(rows) if csv else network_files.to_geojson(rows)
    with written(options.file) as file:
        file.write(text)
    print(json.dumps({"rows": len(rows)}), file=beside(options.file))
    return 0


def _remove(options: argparse.Namespace) -> int:
    from vigil_cloud.database.engine import writing
    from vigil_cloud.water import register

    with opened(options) as services, writing(services.sessions) as session:
        gone = register.remove(session, options.id, OPERATOR, services.now())
    print(json.dumps({"removed": gone}))
    return 0


def _velocities(options: argparse.Namespace) -> int:
    from vigil_cloud.database.engine import writing
    from vigil_cloud.water import velocities

    given = velocities.read(options.file)
    with opened(options) as services, writing(services.sessions) as session:
        taken = velocities.put(session, given, services.now())
    print(json.dumps({"velocities": taken}))
    return 0


def _visits(options: argparse.Namespace) -> int:
    from vigil_cloud.database.engine import writing
    from vigil_cloud.water import visits

    given = visits.read(options.file, options.utc_offset)
    with opened(options) as services, writing(services.sessions) as session:
        taken = visits.put(
            session, options.file, given, OPERATOR, services.now(), replace=options.replace
        )
    print(json.dumps(taken._asdict()))
    return 0


def _rules(options: argparse.Namespace) -> int:
    from vigil_cloud.database.engine import writing
    from vigil_cloud.water import incidents

    names = ("join_minutes", "reopen_minutes", "neighbour_m", "longest_hours", "false_per_week")
    given = {name: value for name in names if (value := getattr(options, name)) is not None}
    with opened(options) as services, writing(services.sessions) as session:
        if given:
            incidents.set_rules(session, given, OPERATOR, services.now())
        rules = incidents.rules_of(session)
    print(json.dumps(incidents.in_numbers(rules)))
    return 0
