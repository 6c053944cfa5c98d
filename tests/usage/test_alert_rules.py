import datetime as dt
import threading
import time

import pytest
from django.core import mail
from django.db import connection, transaction
from django.test import Client

from console.audit.models import AuditEvent
from console.core.clock import now, period_start
from console.core.errors import Conflict
from console.core.histogram import histogram
from console.notices.models import Notice
from console.notices.services.delivery import send_due
from console.teams.models import Team
from tests import clock, make
from tests.between import somebody_waits
from tests.conftest import Cast
from tests.make import client_of
from tests.usage.rows import a_call
from tests.usage.test_roll_up import next_tx, roll_up_past
from tests.waiting import until
from usage_app.models import AlertRule, UsageMinute
from usage_app.queries.alert_rules import Measured
from usage_app.services import alert_rules as services
from usage_app.services.alert_rules import check_rules

PAGE = "/teams/team-a/alerts/rules/"


def minutes(
    team: Team,
    calls: int,
    errors: int = 0,
    *,
    durations: tuple[int, ...] = (200_000,),
    ago: int = 2,
    environment: str = "production",
    alias: str = "",
) -> None:
    """What ended in a minute some time ago, in place of what did before."""
    UsageMinute.objects.update_or_create(
        minute=period_start("minute", now()) - dt.timedelta(minutes=ago),
        team_id=team.pk,
        environment=environment,
        alias=alias,
        defaults={"calls": calls, "errors": errors, "latency": histogram(durations)},
    )


@pytest.fixture
def told(django_capture_on_commit_callbacks, monkeypatch: pytest.MonkeyPatch):
    """Look once; return the subjects of what was mailed by it, with whom. The test begins early in a minute."""
    late = time.time_ns() % 60_000_000_000 - 20_000_000_000
    clock.reads(monkeypatch, lambda: time.time_ns() - late)

    def look() -> list[tuple[str, str]]:
        mail.outbox.clear()
        with django_capture_on_commit_callbacks(execute=True):
            check_rules()
        send_due()
        return sorted((letter.to[0], letter.subject) for letter in mail.outbox)

    return look


@pytest.mark.django_db
def test_it_tells_once_that_calls_fail_and_once_that_they_no_longer_do(cast: Cast, told) -> None:
    rule = make.make_alert_rule(cast.team_a, threshold=5, least_calls=20)
    minutes(cast.team_a, calls=19, errors=19)
    assert told() == [], "there were too few"
    minutes(cast.team_a, calls=100, errors=5)
    assert told() == [], "it is not above"
    minutes(cast.team_a, calls=1000, errors=1000, ago=12)
    assert told() == [], "that was before"
    minutes(cast.team_a, calls=100, errors=6)
    title = "Calls of Team A fail: 6 % of 100 calls"
    assert told() == [("alice@example.com", title), ("olga@example.com", title)]
    assert "Error rate above 5 % for 10 minutes, of 20 calls or more" in mail.outbox[0].body
    assert "/audit/?range=1h&status=error&team=team-a" in mail.outbox[0].body
    assert told() == []
    minutes(cast.team_a, calls=100, errors=50)
    assert told() == []
    minutes(cast.team_a, calls=100, errors=4)
    assert [subject for _, subject in told()] == ["Calls of Team A no longer fail"] * 2
    minutes(cast.team_a, calls=100, errors=50)
    assert told() == [], "it was told within the hour"
    AlertRule.objects.update(told_at=now() - dt.timedelta(hours=1))
    assert len(told()) == 2
    minutes(cast.team_a, calls=0)
    assert [subject for _, subject in told()] == ["Calls of Team A are too few to say whether they still fail"] * 2
    lines = AuditEvent.objects.filter(action__startswith="alert.", team_id=cast.team_a.pk).order_by("id")
    assert [line.action for line in lines] == ["alert.started", "alert.ended"] * 2
    facts = Notice.objects.order_by("created_at", "id").values_list("facts", flat=True)
    assert [one["type"] for one in facts] == ["calls.failing", "calls.recovered"] * 2
    assert facts[0]["rule"] == str(rule.pk) and facts[0]["value"] == 6


@pytest.mark.django_db
def test_operators_are_told_of_all_teams_together_by_latency_too(cast: Cast, told) -> None:
    make.make_alert_rule(None, metric="latency", threshold=2_500, least_calls=20)
    demo = make.make_team("Show")
    Team.objects.filter(pk=demo.pk).update(is_demo=True)
    minutes(demo, calls=20, durations=(60_000_000,) * 20)
    assert told() == [], "nobody waits for a demo's calls"
    minutes(cast.team_a, calls=10, durations=(200_000,) * 10)
    minutes(cast.team_b, calls=10, durations=(8_000_000,) * 10)
    ((who, subject),) = told()
    assert who == "olga@example.com" and subject.startswith("Calls of all teams are slow: ")
    assert subject.endswith(" s of 20 calls")


@pytest.mark.django_db
def test_a_rule_of_an_alias_hears_of_its_calls_alone_and_one_that_breaks_holds_up_no_other(
    cast: Cast, told, monkeypatch: pytest.MonkeyPatch
) -> None:
    make.make_alias("support-chat", production=make.make_model("gpt"))
    make.make_alert_rule(cast.team_a)
    make.make_alert_rule(cast.team_a, alias="support-chat", environment="sandbox")
    minutes(cast.team_a, calls=10, errors=10, alias="support-chat")
    minutes(cast.team_a, calls=10, errors=10, environment="sandbox")
    minutes(cast.team_a, calls=100, environment="sandbox", alias="support-chat")
    look = services._look

    def broken(measured: Measured) -> bool:
        if not measured.rule.alias:
            raise ValueError("one that breaks")
        return look(measured)

    with monkeypatch.context() as patch:
        patch.setattr(services, "_look", broken)
        assert told() == [], "these calls are not the rule's"
        minutes(cast.team_a, calls=100, errors=50, environment="sandbox", alias="support-chat")
        title = "Calls of Team A to support-chat in sandbox fail: 50 % of 100 calls"
        assert told() == [("alice@example.com", title), ("olga@example.com", title)]
    assert "/audit/?range=1h&status=error&alias=support-chat&team=team-a&environment=sandbox" in mail.outbox[0].body
    assert told()[0] == ("alice@example.com", "Calls of Team A fail: 100 % of 10 calls"), "of every alias"


@pytest.mark.usefixtures("committed_db")
def test_two_who_add_the_last_rule_at_once_add_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "MOST_RULES", 2)
    team = make.make_team("Support")
    make.make_alert_rule(team)
    refused: list[Conflict] = []

    def second() -> None:
        try:
            make.make_alert_rule(team, minutes=3)
        except Conflict as conflict:
            refused.append(conflict)
        finally:
            connection.close()

    other = threading.Thread(target=second)
    with transaction.atomic():
        make.make_alert_rule(team, minutes=2)
        other.start()
        until(somebody_waits, "the other waits for this one's rule")
    other.join()
    assert refused and AlertRule.objects.count() == 2


@pytest.mark.usefixtures("committed_db")
def test_calls_count_in_the_minute_they_ended_in_as_their_callers_met_them() -> None:
    team, moment = make.make_team("Support"), now()
    a_call(team, at=moment)
    roll_up_past(next_tx())
    assert not UsageMinute.objects.exists(), "without a rule, nobody looks"
    make.make_alert_rule(team)
    a_call(team, at=moment - dt.timedelta(hours=1), closed_at=moment, latency_us=3_000_000)
    a_call(team, at=moment, status="error", detail='{"attempt_of": "x"}')
    a_call(team, at=moment, status="error")
    a_call(team, at=moment, status="refused", latency_us=None)
    a_call(team, at=moment, lane="batch")
    a_call(team, at=moment, environment="sandbox")
    a_call(team, at=moment, type="shadow")
    a_call(team, at=moment - dt.timedelta(hours=3))
    roll_up_past(next_tx())
    minute = UsageMinute.objects.get()
    assert minute.minute == period_start("minute", moment)
    assert (minute.calls, minute.errors, minute.latency) == (3, 1, histogram((3_000_000, 200_000)))
    assert (minute.environment, minute.alias) == ("production", "")
    make.make_alias("support-chat", production=make.make_model("gpt"))
    make.make_alert_rule(team, environment="sandbox", alias="support-chat")
    UsageMinute.objects.all().delete()
    for alias in ("support-chat", "another"):
        a_call(team, at=moment, environment="sandbox", alias=alias)
        a_call(team, at=moment, alias=alias)
    roll_up_past(next_tx())
    rows = UsageMinute.objects.order_by("environment", "alias").values_list("environment", "alias", "calls")
    assert list(rows) == [(where, name, 1) for where in ("production", "sandbox") for name in ("", "support-chat")]
    UsageMinute.objects.update(minute=now() - dt.timedelta(hours=3))
    check_rules()
    assert not UsageMinute.objects.exists()


@pytest.mark.django_db
def test_owners_set_change_and_remove_rules(cast: Cast) -> None:
    client = client_of(cast.alice)
    assert "No rules yet" in client.get(PAGE).text and f'href="{PAGE}"' in client.get("/teams/team-a/alerts/").text
    for name, team in (("support-chat", cast.team_a), ("of-team-b", cast.team_b)):
        make.make_alias(name, production=make.make_model(name)).teams.add(team)
    fields = {"metric": "latency", "threshold": "2.5 s", "minutes": "10", "least_calls": "20", "alias": ""}
    fields |= {"environment": "production"}
    wrongs: tuple[dict[str, str], ...] = ({"threshold": "5 %"}, {"threshold": "2 h"}, {"threshold": "0"})
    for wrong in (*wrongs, {"minutes": "61"}, {"metric": "x"}, {"alias": "of-team-b"}, {"environment": "staging"}):
        assert client.post(f"{PAGE}new/", {**fields, **wrong}).status_code == 422
    assert client.post(f"{PAGE}new/", fields)["Location"] == PAGE
    assert client.post(f"{PAGE}new/", {**fields, "threshold": "3 s"}).status_code == 422, "these minutes have one"
    rule = AlertRule.objects.get()
    assert (rule.team, rule.threshold) == (cast.team_a, 2500)
    of_one = {**fields, "alias": "support-chat", "environment": "sandbox"}
    assert client.post(f"{PAGE}new/", of_one)["Location"] == PAGE
    other = AlertRule.objects.exclude(pk=rule.pk)
    assert str(other.get()) == "Latency (p95) of support-chat in sandbox above 2.50 s for 10 minutes"
    other.delete()
    minutes(cast.team_a, calls=30, durations=(8_000_000,) * 30)
    page = client.get(PAGE).text
    assert "Latency (p95) above 2.50 s for 10 minutes" in page and "of 30 calls" in page and "Above" in page
    change = f"/alerts/rules/{rule.pk}/change/"
    shown = client.get(change)
    assert 'value="2.5 s"' in shown.text and "How many of the last" in shown.text
    sent = {"threshold": "800 ms", "minutes": "5", "least_calls": "20", "seen_revision": "1"}
    assert client.post(change, sent)["Location"] == PAGE
    assert client.post(change, {**sent, "threshold": "900 ms"}).status_code == 409, "it was changed since"
    for client_, status in ((client_of(cast.charlie), 404), (client_of(cast.bob), 403), (Client(), 302)):
        assert client_.post(f"/alerts/rules/{rule.pk}/remove/").status_code == status
    client.post(f"/alerts/rules/{rule.pk}/remove/")
    assert not AlertRule.objects.exists()
    lines = AuditEvent.objects.filter(action__startswith="alert_rule.", team_id=cast.team_a.pk).order_by("id")
    assert [line.action.partition(".")[2] for line in lines] == ["created", "created", "changed", "deleted"]
    assert client.get("/settings/alerts/rules/").status_code == 403


@pytest.mark.django_db
def test_more_rules_take_no_more_queries(cast: Cast, django_assert_max_num_queries) -> None:
    client = client_of(cast.alice)
    make.make_alert_rule(cast.team_a)
    client.get(PAGE)
    with django_assert_max_num_queries(12) as first:
        client.get(PAGE)
    for threshold in range(6, 12):
        make.make_alert_rule(cast.team_a, threshold=threshold, minutes=threshold - 5)
    with django_assert_max_num_queries(len(first)):
        assert client.get(PAGE).text.count("Too few calls") == 7
