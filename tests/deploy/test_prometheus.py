"""The shipped scrape configuration and alerts: promtool's own tests, and a real Prometheus on a real daemon."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import yaml

from tests.journal.written import LiveWriter
from tests.parts.daemons import DaemonProcess
from tests.parts.prometheus import PrometheusServer, promtool

SHIPPED = Path(__file__).parents[2] / "deploy" / "prometheus"
RULES = SHIPPED / "release-watcher.rules.yml"
DASHBOARD = SHIPPED.parent / "grafana" / "release-watcher.json"
METRICS = Path(__file__).parents[2] / "docs" / "metrics.md"
JOB = """\
    units: [import.service]
    rules:
      - {{name: boom, match: '^boom', severity: error}}
    release:
      mode: rollback
      window: 5m
      settle: 0s
      fail_when:
        - matches: {{rule: boom, count: 2}}
      rollback: {{command: [{command}], timeout: 5s}}
"""
WANTED = {
    "ReleaseWatcherDown",
    "ReleaseWatcherNotReady",
    "ReleaseWatcherLagging",
    "ReleaseWatcherBlind",
    "ReleaseWatcherReleaseFailed",
    "ReleaseWatcherRollbackFailed",
    "ReleaseWatcherRollbackDidNotHelp",
    "ReleaseWatcherPausedTooLong",
    "ReleaseWatcherConfigReloadFailed",
}


def test_promtool_takes_the_configuration() -> None:
    """The scrape configuration finds the rules beside it."""
    code, said = promtool("check", "config", "prometheus.yml", within=SHIPPED)
    assert 0 == code, said


def test_the_rules_pass_their_own_tests() -> None:
    """Each alert fires when it should and not else, by promtool's clock."""
    code, said = promtool("test", "rules", "release-watcher.rules.test.yml", within=SHIPPED)
    assert 0 == code, said


def test_every_alert_is_there_and_tested() -> None:
    """An alert without a test of its own would be a guess; each names a way on."""
    rules = yaml.safe_load(RULES.read_text())["groups"][0]["rules"]
    assert WANTED == {rule["alert"] for rule in rules}
    tested = (SHIPPED / "release-watcher.rules.test.yml").read_text()
    assert set() == {name for name in WANTED if name not in tested}
    assert [] == [rule["alert"] for rule in rules if "`" not in rule["annotations"]["description"]]


def test_the_rules_ask_for_metrics_that_there_are() -> None:
    """A renamed metric would make an alert that never fires."""
    documented = METRICS.read_text()
    asked = _metrics_in(RULES.read_text())
    assert asked
    assert set() == {name for name in asked if f"`{name}`" not in documented}


def test_the_dashboard_asks_what_can_be_answered(tmp_path: Path) -> None:
    """Each expression of the Grafana dashboard parses, and asks for metrics that there are."""
    dashboard = json.loads(DASHBOARD.read_text())
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    asked += [one["expr"] for one in dashboard["annotations"]["list"]]
    documented = METRICS.read_text()
    names = {name.removesuffix("_bucket") for expr in asked for name in _metrics_in(expr)}
    assert set() == {name for name in names if f"`{name}`" not in documented}
    exprs = [expr.replace("$__rate_interval", "1m") for expr in asked]
    rules = [{"record": f"dashboard:{number}", "expr": expr} for number, expr in enumerate(exprs)]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    code, said = promtool("check", "rules", "rules.yml", within=tmp_path)
    assert 0 == code, said
    assert f"{len(asked)} rules found" in said


def _metrics_in(text: str) -> set[str]:
    """The names of our metrics that are asked for."""
    plain = "".join(char if char.isalnum() or char == "_" else " " for char in text)
    return {word for word in plain.split() if word.startswith("watcher_")}


def test_a_real_prometheus_sees_a_release_fail(tmp_path: Path) -> None:
    """Scraped from the real daemon, the failed release makes its alert fire, and the failed rollback its own."""
    command = tmp_path / "rollback"
    command.write_text("#!/bin/sh\nexit 3\n")
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    (tmp_path / "journal").mkdir()
    watching = DaemonProcess(tmp_path, JOB.format(command=command))
    with LiveWriter(tmp_path / "journal" / "live.journal") as journal:
        journal.tell("hello")
        with watching as daemon, PrometheusServer(_folder(tmp_path), _config(daemon.port)) as server:
            server.wait_for('watcher_ready{job="release-watcher"}', 1)
            server.wait_for("count(watcher_release_verdicts_total) > 0 or vector(0)", 3)
            assert {} == server.firing()
            assert 0 == promtool("check", "metrics", text=daemon.get("/metrics")[1].encode())[0]
            release = daemon.start_release()
            for message in ("boom one", "boom two"):
                journal.tell(message)
            daemon.wait_for(lambda: daemon.show(release)["rollback"]["state"] == "failed", "rollback failed")
            server.wait_for('count(ALERTS{alertname="ReleaseWatcherReleaseFailed", alertstate="firing"})', 1)
            server.wait_for('count(ALERTS{alertname="ReleaseWatcherRollbackFailed", alertstate="firing"})', 1)
            failed = server.firing()["ReleaseWatcherReleaseFailed"]
            assert "a release of import failed" == failed["annotations"]["summary"]
            assert "`watcher release list --job import`" in failed["annotations"]["description"]


def _folder(tmp_path: Path) -> Path:
    folder = tmp_path / "prometheus"
    folder.mkdir()
    return folder


def _config(port: int) -> str:
    """The shipped configuration with the test's port, asking more often."""
    config = yaml.safe_load((SHIPPED / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "200ms", "scrape_timeout": "200ms", "evaluation_interval": "200ms"}
    config["rule_files"] = [str(RULES)]
    [scrape] = config["scrape_configs"]
    scrape["static_configs"] = [{"targets": [f"127.0.0.1:{port}"]}]
    return str(yaml.safe_dump(config))
