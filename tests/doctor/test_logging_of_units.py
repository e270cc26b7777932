"""Whether a unit's output reaches the journal, told from properties that were recorded from real units."""

from __future__ import annotations

import pytest

from tests.parts.recorded import RECORDED
from watcher.doctor.finding import Weight
from watcher.doctor.logging_of_units import losses, representative, shown_name


def recorded(name: str, **changed: str) -> dict[str, str]:
    lines = dict(line.split("=", 1) for line in (RECORDED / name).read_text().splitlines())
    return {**lines, **changed}


def told(unit: dict[str, str], namespace: str | None = None) -> list[tuple[str, str]]:
    """What is said of it, without the unit's name, and the hint."""
    name = shown_name(unit["Id"])
    found = list(losses(unit, job="import", namespace=namespace))
    assert {Weight.WARNING} >= {finding.weight for finding in found}
    return [(finding.what.removeprefix(f"{name}: "), finding.hint) for finding in found]


def test_a_plain_unit() -> None:
    """Nothing is said of a unit whose output goes to the journal."""
    assert [] == told(recorded("import@watcher-check.service"))


def test_a_unit_that_hides_its_output_in_every_way() -> None:
    """Each reason has its own line and its own way out."""
    assert [
        (
            "logs into the journal namespace other, which is not the one that is read",
            "set journal.namespace: other, or `systemctl edit quiet.service` and LogNamespace=",
        ),
        (
            "LogLevelMax=4 drops entries of a higher priority number; plain output has 6",
            "`systemctl edit quiet.service` and LogLevelMax=debug",
        ),
        (
            "StandardOutput=null: what it prints there is thrown away, not logged",
            "`systemctl edit quiet.service` and StandardOutput=journal",
        ),
        (
            "more than 100 entries in 10s are dropped; a window in which that happens can't pass",
            "`systemctl edit quiet.service` and LogRateLimitBurst=1000000",
        ),
    ] == told(recorded("quiet.service"))


def test_a_burst_alone_is_a_limit_as_well() -> None:
    """An interval of 0 is what PID 1 shows of one that is not set: then journald's own goes with the burst."""
    unit = recorded("import@watcher-check.service", LogRateLimitBurst="100")
    expected = "more than 100 entries in 30s are dropped; a window in which that happens can't pass"
    assert [expected] == [what for what, _ in told(unit)]


def test_output_to_a_file() -> None:
    """As systemd 252 shows `append:/var/log/x.log`."""
    expected = "StandardOutput=append: what it prints there is written to a file, not logged"
    assert [expected] == [what for what, _ in told(recorded("tofile.service"))]


def test_the_namespace_that_is_read() -> None:
    """A unit of the namespace that the configuration names is right, and one outside it is not."""
    assert [] == [what for what, _ in told(recorded("quiet.service"), "other") if "namespace" in what]
    expected = "logs into the machine's journal, which is not the one that is read"
    assert expected in [what for what, _ in told(recorded("loud.service"), "other")]


def test_a_newer_systemd_tells_of_filters() -> None:
    """LogFilterPatterns= came with 253; an older one does not tell it, and that is no finding."""
    unit = recorded("import@watcher-check.service", LogFilterPatterns="~noise")
    assert ["LogFilterPatterns= keeps entries out of the journal"] == [what for what, _ in told(unit)]


@pytest.mark.parametrize(
    ("unit", "asked"),
    [
        ("import.service", "import.service"),
        ("import@*.service", "import@watcher-check.service"),
        ("import@[ab]?.service", "import@watcher-check.service"),
        ("im*@*.service", "im*@*.service"),
        ("import@*", "import@*"),
        ("import@a.service", "import@a.service"),
        ("import*.service", "import*.service"),
    ],
)
def test_a_template_is_asked_about_by_an_instance(unit: str, asked: str) -> None:
    """Only a glob over the instances of one template has a unit that stands for all of them."""
    assert asked == representative(unit)


def test_the_instance_that_stands_for_a_template_is_not_shown() -> None:
    """A person reads the name of the unit file."""
    assert "import@.service" == shown_name("import@watcher-check.service")
