"""What maintainers watch is there: each expression of the shipped rules and dashboards is PromQL
over figures that the service exports, and the image and its composition keep the rules for them."""

from __future__ import annotations

import json
import platform
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase

import servers
from compose import BIN, FILE, ROOT
from vigil_cloud.metrics import LOGGED, Metrics

FOLDER = ROOT / "docs/deployment"
OF_PROMETHEUS = {
    "up": {"job", "instance"},
    "ALERTS": {"alertname", "alertstate", "severity", "job", "instance"},
}
"""What it makes itself; the second of the rules."""
OF_EACH_TARGET = {"job", "instance"}
RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((FOLDER / "prometheus/rules.yml").read_text("utf-8"))["groups"]
    for rule in group["rules"]
]
DASHBOARD: dict[str, Any] = json.loads((FOLDER / "grafana/vigil.json").read_text("utf-8"))
TARGETS: list[dict[str, Any]] = [
    target for panel in DASHBOARD["panels"] for target in panel.get("targets", ())
]
COMPOSITION: dict[str, Any] = yaml.safe_load(FILE.read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSITION["services"]
EXPRESSIONS = [
    *(pytest.param(rule["expr"], id=rule["alert"]) for rule in RULES),
    *(pytest.param(target["expr"], id=target["expr"][:60]) for target in TARGETS),
]


def exported() -> dict[str, set[str]]:
    """Every series that ``/metrics`` may show, and its labels. A label of our own that is called
    as one of Prometheus' is renamed when it is scraped."""
    metrics = Metrics()
    found: dict[str, set[str]] = dict(OF_PROMETHEUS)
    own = [one for one in vars(metrics).values() if isinstance(one, MetricWrapperBase)]
    for metric in [*own, LOGGED]:
        labels = {
            f"exported_{name}" if name in OF_EACH_TARGET else name for name in metric._labelnames
        } | OF_EACH_TARGET
        kind, name = metric._type, metric._name
        if kind == "counter":
            found[f"{name}_total"] = labels
        elif kind == "histogram":
            found |= {f"{name}_{end}": labels for end in ("sum", "count")}
            found[f"{name}_bucket"] = labels | {"le"}
        else:
            found[name] = labels
    return found


EXPORTED = exported()


def parts(expression: Any) -> Iterator[Any]:
    """An expression and all that stands in it."""
    yield expression
    for name in ("lhs", "rhs", "expr", "param", "vector_selector"):
        inner = getattr(expression, name, None)
        if inner is not None:
            yield from parts(inner)
    for argument in getattr(expression, "args", ()):
        yield from parts(argument)


def of_grafana(text: str) -> str:
    """With a duration in place of Grafana's own variable."""
    return text.replace("$__rate_interval", "1m")


def test_what_is_exported_is_what_metrics_shows() -> None:
    said = Metrics().exposition()[0].decode()
    shown = {line.split()[2] for line in said.splitlines() if line.startswith("# TYPE ")}
    bases = {name.removesuffix("_bucket").removesuffix("_sum") for name in EXPORTED}
    assert {name for name in shown if not name.endswith("_created")} <= bases | set(EXPORTED)


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_an_expression_is_over_what_is_exported(text: str) -> None:
    tree = promql_parser.parse(of_grafana(text))
    selectors = [one for one in parts(tree) if isinstance(one, promql_parser.VectorSelector)]
    assert selectors
    there: set[str] = set()
    for selector in selectors:
        assert selector.name in EXPORTED, f"{selector.name} is not exported"
        there |= EXPORTED[selector.name]
        asked = {matcher.name for matcher in selector.matchers.matchers}
        assert asked <= EXPORTED[selector.name], f"{selector.name} has no {asked}"
    for one in parts(tree):
        if isinstance(one, promql_parser.AggregateExpr) and one.modifier is not None:
            assert set(one.modifier.labels) <= there


@pytest.mark.parametrize("rule", RULES, ids=[rule["alert"] for rule in RULES])
def test_a_rule_says_what_is_wrong_and_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"warning", "critical"}
    assert set(rule["annotations"]) == {"summary", "summary_zh", "remedy"}
    assert all(len(text) > 5 for text in rule["annotations"].values())


def test_the_rules_watch_what_an_alarm_hangs_on() -> None:
    watched = " ".join(rule["expr"] for rule in RULES if rule["labels"]["severity"] == "critical")
    for name in (
        *('up{job="vigil-ingest"}', 'up{job="vigil-api"}', "vigil_ingest_broker_connected"),
        *("vigil_ingest_store_failures_total", "vigil_notify_deliveries_total", 'lane="alarm"'),
    ):
        assert name in watched


def test_each_exported_figure_is_on_the_dashboard() -> None:
    shown = " ".join(target["expr"] for target in TARGETS)
    bases = {
        name.rsplit("_", 1)[0] if name.endswith(("_bucket", "_sum", "_count")) else name
        for name in EXPORTED
        if name not in OF_PROMETHEUS
    }
    assert {name for name in bases if name not in shown} == set()


def test_the_dashboard_begins_with_the_rules_that_fire() -> None:
    first = DASHBOARD["panels"][0]
    assert 'ALERTS{alertstate="firing"}' in first["targets"][0]["expr"]
    assert first["gridPos"]["y"] == 0


def test_the_dashboard_is_provisioned_and_asks_the_provisioned_source() -> None:
    source = yaml.safe_load((FOLDER / "grafana/datasources.yml").read_text("utf-8"))
    (own,) = source["datasources"]
    uids = {
        each["datasource"]["uid"]
        for each in [*TARGETS, *DASHBOARD["panels"]]
        if "datasource" in each
    }
    assert uids == {own["uid"]}
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    mounts = dict(entry.split(":")[:2][::-1] for entry in SERVICES["grafana"]["volumes"])
    folder = yaml.safe_load((FOLDER / "grafana/dashboards.yml").read_text("utf-8"))
    assert f"{folder['providers'][0]['options']['path']}/vigil.json" in mounts
    assert own["url"] == "http://prometheus:9090"


def test_what_is_scraped_are_services_where_they_listen() -> None:
    scraped = yaml.safe_load((FOLDER / "prometheus/prometheus.yml").read_text("utf-8"))
    targets = {
        each["job_name"]: each["static_configs"][0]["targets"][0]
        for each in scraped["scrape_configs"]
    }
    ingest = SERVICES["ingest"]["environment"]["VIGIL_OPERATIONS_LISTEN"]
    assert targets["vigil-ingest"] == f"ingest:{ingest.rpartition(':')[2]}"
    assert targets["vigil-api"] == f"api:{COMPOSITION['x-cloud-environment']['VIGIL_HTTP_PORT']}"
    assert {"vigil-ingest", "vigil-api"} <= set(targets)


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_service_is_bounded_and_fixed(name: str) -> None:
    service = SERVICES[name]
    image, _, tag = service["image"].partition(":")
    assert image
    assert tag.count(".") >= 1, f"{service['image']} moves: name a version"
    for entry in service.get("volumes", ()):
        source = entry.split(":")[0]
        assert not source.startswith(".") or (ROOT / source).is_file(), source
    if service.get("restart") == "no" or name == "broker-passwords":
        return
    assert service["mem_limit"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert service["logging"]["options"]["max-size"]
    assert "healthcheck" in service or name == "city", "the image's own says nothing of it"


def test_no_secret_stands_in_an_environment() -> None:
    for name, service in SERVICES.items():
        for key, value in (service.get("environment") or {}).items():
            secret = any(word in key for word in ("PASSWORD", "TOKEN", "SECRET"))
            assert not secret or key.endswith(("_FILE", "_DIR")), f"{name}: {key}"
            # A host's name, which every gateway is told, is no secret.
            if key != "VIGIL_GATEWAY_BROKER_URL":
                assert "${" not in str(value), f"{name}: {key}"


def test_nothing_but_what_people_and_gateways_need_is_published() -> None:
    published = {name: each["ports"] for name, each in SERVICES.items() if "ports" in each}
    assert published == {
        "api": ["127.0.0.1:8400:8400"],
        "mosquitto": ["8883:8883"],
        "grafana": ["127.0.0.1:3000:3000"],
    }


def test_the_image_keeps_the_linter() -> None:
    if platform.machine() != "x86_64":
        servers.missing("hadolint", "run this on x86_64")
    done = subprocess.run(
        [str(BIN / "hadolint"), "--failure-threshold", "info", str(FOLDER / "Dockerfile")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_the_image_runs_for_nobody_in_particular_and_is_asked_how_it_is() -> None:
    lines = (FOLDER / "Dockerfile").read_text("utf-8").splitlines()
    bases = [line.split("=", 1)[1] for line in lines if line.startswith("ARG ")]
    assert all(base.count(".") == 2 for base in bases), bases
    last = lines[max(n for n, line in enumerate(lines) if line.startswith("FROM ")) :]
    text = "\n".join(last)
    assert "USER 10001" in text
    assert "HEALTHCHECK" in text
    assert "--only-binary=:all:" in "\n".join(lines)  # so that both architectures need no compiler
    assert not [line for line in last if line.startswith("COPY") and "--from=" not in line]
    assert Path("docs/deployment/Dockerfile") == (FOLDER / "Dockerfile").relative_to(ROOT)
