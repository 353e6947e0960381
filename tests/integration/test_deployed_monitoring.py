"""`deploy/grafana` and `deploy/prometheus`, as far as no running service is needed to judge them."""

import re

import pytest
import yaml

from tests import promql
from tests.checkout import ROOT
from tests.servers.prometheus import promtool

PROMETHEUS = ROOT / "deploy" / "prometheus"
GRAFANA = ROOT / "deploy" / "grafana"
ALERTS = [rule for rule in promql.rules() if "alert" in rule]


def test_promtool_takes_the_rules_and_the_example_of_a_configuration():
    assert "SUCCESS" in promtool("check", "rules", PROMETHEUS / "rules.yml")
    assert "SUCCESS" in promtool("check", "config", PROMETHEUS / "prometheus.yml")


def test_each_alert_fires_when_it_should_and_not_otherwise():
    assert "SUCCESS" in promtool("test", "rules", PROMETHEUS / "rules.test.yml")


def test_every_alert_is_tested():
    text = (PROMETHEUS / "rules.test.yml").read_text(encoding="utf-8")
    assert ALERTS
    for alert in ALERTS:
        fires = rf'ALERTS{{alertname="{alert["alert"]}", alertstate="firing", '
        assert fires in text, alert["alert"]


@pytest.mark.parametrize("alert", ALERTS, ids=[alert["alert"] for alert in ALERTS])
def test_an_alert_says_how_bad_what_and_where_to_read_on(alert):
    assert alert["labels"]["severity"] in ("page", "ticket")
    notes = alert["annotations"]
    assert set(notes) == {"summary", "description", "runbook_url"}
    page, _, anchor = notes["runbook_url"].partition("#")
    headings = re.findall(r"^#{2,3} (.+)$", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE)
    assert anchor in {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_section_on_an_alert_belongs_to_one():
    page = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
    sections = {
        title.lower().replace(" ", "-") for title in re.findall(r"^### Alert: (.+)$", page, re.MULTILINE)
    }
    asked = {alert["annotations"]["runbook_url"].partition("#alert-")[2] for alert in ALERTS} - {""}
    assert sections == asked


def test_panels_have_ids_of_their_own_and_do_not_overlap():
    panels = promql.dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken = set()
    for panel in panels:
        grid = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(grid["x"], grid["x"] + grid["w"])
            for y in range(grid["y"], grid["y"] + grid["h"])
        }
        assert not cells & taken, panel["title"]
        assert grid["x"] + grid["w"] <= 24
        taken |= cells


def test_every_panel_has_a_title_a_unit_and_says_what_it_shows():
    titles = [panel["title"] for panel in promql.panels()]
    assert len(titles) == len(set(titles))
    for panel in promql.panels():
        assert panel["description"], panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["fieldConfig"]["defaults"]["thresholds"]["steps"], panel["title"]


def test_queries_go_to_the_chosen_datasource_and_the_chosen_instances():
    assert {variable["name"] for variable in promql.dashboard()["templating"]["list"]} == {
        "datasource",
        "instance",
    }
    for panel in promql.panels():
        for part in (panel, *panel["targets"]):
            assert part["datasource"] == {"type": "prometheus", "uid": "${datasource}"}, panel["title"]
        for target in panel["targets"]:
            recorded = target["expr"].startswith("order_entry:")
            assert recorded or all(
                '{instance=~"$instance"' in each or ',instance=~"$instance"' in each
                for each in promql.selectors(target["expr"])
            ), target["expr"]


def test_no_host_is_written_into_the_dashboard():
    text = promql.DASHBOARD.read_text(encoding="utf-8")
    assert not re.findall(r"https?://|localhost|\d+\.\d+\.\d+\.\d+|:\d{4}\b", text)


def test_the_provisioning_finds_the_dashboard_and_names_its_datasource_s_place_by_the_environment():
    (source,) = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yaml").read_text())[
        "datasources"
    ]
    assert (source["type"], source["url"]) == ("prometheus", "${PROMETHEUS_URL}")
    (provider,) = yaml.safe_load((GRAFANA / "provisioning/dashboards/order-entry.yaml").read_text())[
        "providers"
    ]
    assert provider["options"]["path"] == "/var/lib/grafana/dashboards"
