"""Alert rules and dashboard: they use metrics that exist, do what they say, and are explained in the runbook."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings
from django.test import Client

from artisans.core.doctor.registry import CHECKS
from artisans.core.web.metrics import Snapshot
from scripts.services import debian_program

RULES = Path(settings.BASE_DIR, "deploy/prometheus/alerts.yml")
TESTS = sorted(RULES.parent.glob("*_test.yml"))
DASHBOARD = Path(settings.BASE_DIR, "deploy/grafana/shop.json")
RUNBOOK = Path(settings.BASE_DIR, "docs/runbook.md")
OF_PROMETHEUS = {"up"}
SUFFIXES = "_bucket|_count|_sum"


def rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def alerts() -> dict[str, dict[str, Any]]:
    return {rule["alert"]: rule for rule in rules() if "alert" in rule}


def expressions() -> list[str]:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    return [rule["expr"] for rule in rules()] + [
        target["expr"] for panel in panels for target in panel["targets"]
    ]


@pytest.mark.django_db
def test_every_metric_exists(settings, monkeypatch):
    settings.METRICS_TOKEN = "t" * 43
    monkeypatch.setattr(Snapshot, "until", 0.0)
    client = Client(headers={"Authorization": f"Bearer {settings.METRICS_TOKEN}"})
    client.get("/health/live")
    answer = client.get("/metrics").content.decode()
    reported = set(re.findall(r"^# TYPE (\S+)", answer, re.MULTILINE)) | OF_PROMETHEUS
    recorded = {rule["record"] for rule in rules() if "record" in rule}

    named = {
        re.sub(rf"({SUFFIXES})$", "", name)
        for text in expressions()
        for name in re.findall(r"\b(?:alley[_:][\w:]+|up(?=\{))", text)
    }

    assert len(named) > 15
    assert named - reported - recorded == set()


def test_every_check_exists():
    """A rule about a check that has another name would never fire."""
    for text in expressions():
        for operator, pattern in re.findall(r'check(=~|!~|=|!=)"([^"]+)"', text):
            for name in pattern.split("|") if "~" in operator else [pattern]:
                assert any(re.fullmatch(name, check) for check in CHECKS), name


def test_every_alert_has_a_section_of_the_runbook():
    """In their order."""
    headings = re.findall(r"^## (.+)$", RUNBOOK.read_text(), re.MULTILINE)
    found = alerts()

    assert headings == list(found)
    for name, rule in found.items():
        assert rule["annotations"]["runbook"] == f"docs/runbook.md#{name.lower()}"
        assert rule["labels"]["severity"] in {"page", "ticket"}, name
        assert rule["annotations"]["summary"].endswith("."), name


def test_promtool_accepts_the_rules_and_every_alert_is_caused_once():
    promtool = debian_program("promtool", "prometheus")
    for command in (["check", "rules", str(RULES)], ["test", "rules", *map(str, TESTS)]):
        done = subprocess.run([promtool, *command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    caused = set()
    for path in TESTS:
        for test in yaml.safe_load(path.read_text())["tests"]:
            cases = test.get("alert_rule_test", [])
            caused |= {case["alertname"] for case in cases if case["exp_alerts"]}
            samples = [row for case in test.get("promql_expr_test", []) for row in case["exp_samples"]]
            caused |= {name for row in samples for name in re.findall(r'alertname="(\w+)"', row["labels"])}
    assert caused == set(alerts())
