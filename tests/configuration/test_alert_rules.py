"""Alert rules in a configuration file: made, compared, changed, and written again."""

from typing import Any

import pytest
import yaml

from console.teams.models import Team
from tests import make
from tests.configuration.conftest import exported, problems_of
from usage_app.models import AlertRule

pytestmark = pytest.mark.django_db
FILE = """\
teams:
  - {slug: support, aliases: [support-chat]}
alert_rules:
  - {metric: errors, threshold: 5}
  - {team: support, metric: latency, threshold: 2500, alias: support-chat, environment: sandbox, minutes: 5}
"""


def test_it_sets_changes_and_exports_rules(run: Any) -> None:
    make.make_alias("support-chat", production=make.make_model("gpt"))
    run(FILE)
    of_all, of_one = AlertRule.objects.order_by("created_at", "id")
    assert (of_all.team, str(of_all), of_all.least_calls) == (None, "Error rate above 5 % for 10 minutes", 20)
    assert str(of_one) == "Latency (p95) of support-chat in sandbox above 2.50 s for 5 minutes"
    assert "0 to create, 0 to change" in run(FILE)
    said = run(FILE.replace("threshold: 5}", "threshold: 8, least_calls: 100}"))
    assert "~ rule      errors in 10 minutes of all teams, production" in said and "threshold: 5 → 8" in said
    document = yaml.safe_load(exported())
    assert document["alert_rules"] == [
        {"team": "support", "metric": "latency", "environment": "sandbox", "alias": "support-chat", "minutes": 5}
        | {"threshold": 2500, "least_calls": 20},
        {"metric": "errors", "environment": "production", "minutes": 10, "threshold": 8, "least_calls": 100},
    ]
    rules = yaml.safe_dump({"alert_rules": document["alert_rules"]})
    assert "2 unchanged" in run(rules)
    assert "in this file twice" in problems_of(run, f"{FILE}  - {{metric: errors, threshold: 6}}\n")
    assert "line 6: alert_rules[2].threshold" in problems_of(
        run, f"{FILE}  - {{metric: errors, threshold: 100, minutes: 3}}\n"
    )
    assert "There is no alias 'gone'" in problems_of(run, "alert_rules: [{metric: errors, threshold: 5, alias: gone}]")
    # Another installation would refuse the rule of a team that may not use its alias.
    make.make_team("Sales").aliases.add(*Team.objects.get(slug="support").aliases.all())
    Team.objects.get(slug="support").aliases.clear()
    text = exported()
    assert len(yaml.safe_load(text)["alert_rules"]) == 1 and "# Not in this file: the alert rule “Latency" in text
