import datetime as dt
import json

import pytest
from django.test import Client

from console.audit.models import AuditEvent
from console.core import clock
from tests import make
from tests.conftest import Cast
from tests.make import client_of
from tests.usage.rows import a_sum
from usage_app.models import Quota, QuotaCounter, QuotaIncrease
from usage_app.services import quotas

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


def make_quota(cast: Cast, **fields) -> Quota:
    fields = {"team": cast.team_a, "metric": "cost", "window": "month", "limit": 100_000_000} | fields
    return quotas.set_quota(actor=make.SYSTEM, **fields)


def text(response) -> str:
    return response.content.decode()


def test_it_shows_limits_with_use_and_what_is_reserved(cast: Cast) -> None:
    quota = make_quota(cast, metric="tokens")
    QuotaCounter.objects.filter(quota=quota).update(used=8_200_000, reserved=1_500_000)
    page = text(client_of(cast.bob).get("/quotas/"))
    assert "8.2 M" in page and "1.5 M reserved" in page and "100 M" in page
    assert "Tokens per month" in page and "Team A" in page


def test_it_hides_other_teams(cast: Cast) -> None:
    make_quota(cast)
    page = text(client_of(cast.charlie).get("/quotas/"))
    assert "Team A" not in page
    assert "No quotas yet" in page
    assert client_of(cast.charlie).get("/quotas/?team=team-a").status_code == 404


def test_a_stranger_signs_in_first(cast: Cast) -> None:
    response = Client().get("/quotas/")
    assert response.status_code == 302 and "/accounts/login/" in response["Location"]


def test_it_teaches_when_nothing_is_limited(cast: Cast) -> None:
    assert "For example" in text(client_of(cast.bob).get("/quotas/"))


def test_a_member_sees_and_cannot_change(cast: Cast) -> None:
    quota = make_quota(cast, alias="support-chat")
    page = text(client_of(cast.bob).get("/quotas/"))
    assert "New quota" not in page and f"/quotas/{quota.public_id}/change/" not in page
    for path in ("change", "remove", "increase"):
        for send in (client_of(cast.bob).get, client_of(cast.bob).post):
            assert send(f"/quotas/{quota.public_id}/{path}/").status_code == 403
    assert client_of(cast.bob).get("/quotas/new/").status_code == 403
    assert Quota.objects.get().limit == quota.limit


@pytest.mark.parametrize("path", ["change", "remove", "increase"])
def test_a_quota_of_another_team_looks_like_none(cast: Cast, path: str) -> None:
    quota = make_quota(cast, alias="support-chat")
    for send in (client_of(cast.charlie).get, client_of(cast.charlie).post):
        assert send(f"/quotas/{quota.public_id}/{path}/").status_code == 404
    assert Quota.objects.exists()


def test_an_operator_limits_a_team_in_units_people_use(cast: Cast) -> None:
    data = {
        "applies_to": f"team:{cast.team_a.pk}",
        "what": "cost:month",
        "counted": "together",
        "limit": "$2,200.50",
        "mode": "soft",
    }
    response = client_of(cast.operator).post("/quotas/new/", data)
    assert response.status_code == 302 and response["Location"] == "/quotas/"
    quota = Quota.objects.get()
    assert (quota.team, quota.metric, quota.window, quota.limit, quota.mode) == (
        cast.team_a,
        "cost",
        "month",
        2_200_500_000,
        "soft",
    )
    line = AuditEvent.objects.get(action="quota.created")
    assert (line.actor_id, line.team_id) == (cast.operator.pk, cast.team_a.pk)
    # Copies that pins send to a shadow have a budget of their own, beside that of the calls.
    copies = data | {"applies_to": f"shadow:{cast.team_a.pk}", "limit": "20"}
    assert client_of(cast.operator).post("/quotas/new/", copies).status_code == 302
    assert Quota.objects.get(purpose="shadow").limit == 20_000_000
    assert "shadow copies only" in client_of(cast.operator).get("/quotas/").content.decode()


def test_an_owner_limits_an_agent_and_a_widget(cast: Cast) -> None:
    widget, foreign = make.make_widget(cast.team_a, name="Shop <b>"), make.make_widget(cast.team_b)
    of_widget, of_agent = f"widget:{cast.team_a.pk}:{widget.pk}", f"agent:{cast.team_a.pk}:{widget.agent.slug}"
    form = text(client_of(cast.alice).get("/quotas/new/"))
    assert of_widget in form and of_agent in form and str(foreign.pk) not in form and foreign.agent.slug not in form
    data = {"what": "requests:day", "counted": "together", "limit": "10", "mode": "hard"}
    for applies_to in (of_widget, of_agent):
        assert client_of(cast.alice).post("/quotas/new/", data | {"applies_to": applies_to}).status_code == 302
    assert {(q.agent, q.widget_id) for q in Quota.objects.all()} == {(widget.agent.slug, None), ("", widget.pk)}
    page = text(client_of(cast.bob).get("/quotas/"))
    assert widget.agent.slug in page and "Shop &lt;b&gt;" in page and "<b>" not in page.partition("Shop ")[2][:20]


def test_an_owner_limits_a_key_but_not_the_team(cast: Cast) -> None:
    form = text(client_of(cast.alice).get("/quotas/new/"))
    assert f"key:{cast.kim.pk}" in form and f"shadow:{cast.team_a.pk}" not in form
    assert "Quotas of the whole team are set by operators" in form
    refused = client_of(cast.alice).post(
        "/quotas/new/",
        {
            "applies_to": f"team:{cast.team_a.pk}",
            "what": "requests:day",
            "counted": "together",
            "limit": "10",
            "mode": "hard",
        },
    )
    assert refused.status_code == 422 and not Quota.objects.exists()
    made = client_of(cast.alice).post(
        "/quotas/new/?team=team-a",
        {
            "applies_to": f"key:{cast.kim.pk}",
            "what": "requests:day",
            "counted": "together",
            "limit": "10",
            "mode": "hard",
        },
    )
    assert made["Location"] == "/quotas/?team=team-a"
    assert Quota.objects.get().key == cast.kim


def test_a_key_of_another_team_is_no_choice(cast: Cast) -> None:
    other, _ = make.make_key(cast.team_b)
    response = client_of(cast.alice).post(
        "/quotas/new/",
        {"applies_to": f"key:{other.pk}", "what": "requests:day", "counted": "together", "limit": "10", "mode": "hard"},
    )
    assert response.status_code == 422 and not Quota.objects.exists()


@pytest.mark.parametrize(
    ("what", "limit", "mode", "said"),
    [
        ("cost:month", "a lot", "hard", "Write a number."),
        ("tokens:day", "1.5", "hard", "Write a whole number."),
        ("cost:month", "-1", "hard", "cannot be negative"),
        ("concurrency:", "4", "soft", "always hard"),
        ("smiles:day", "4", "hard", "Select a valid choice"),
    ],
)
def test_it_says_what_cannot_be_used(cast: Cast, what: str, limit: str, mode: str, said: str) -> None:
    data = {"applies_to": f"team:{cast.team_a.pk}", "what": what, "limit": limit, "mode": mode}
    response = client_of(cast.operator).post("/quotas/new/", data, headers=HTMX)
    assert response.status_code == 422
    assert said in text(response) and "<dialog" in text(response) and "<html" not in text(response)
    assert not Quota.objects.exists()


def test_a_second_quota_of_the_kind_is_refused_in_words(cast: Cast) -> None:
    make_quota(cast)
    data = {
        "applies_to": f"team:{cast.team_a.pk}",
        "what": "cost:month",
        "counted": "together",
        "limit": "5",
        "mode": "hard",
    }
    response = client_of(cast.operator).post("/quotas/new/", data)
    assert response.status_code == 422 and "has this quota already" in text(response)


def test_with_htmx_it_asks_in_a_dialog_and_leaves_by_redirect(cast: Cast) -> None:
    quota = make_quota(cast, alias="support-chat")
    url = f"/quotas/{quota.public_id}/change/"
    piece = text(client_of(cast.alice).get(url, headers=HTMX))
    assert piece.strip().startswith("<dialog") and "100.00" in piece
    response = client_of(cast.alice).post(url, {"limit": "120", "mode": "soft"}, headers=HTMX)
    assert (response.status_code, response["HX-Redirect"]) == (204, "/quotas/")
    quota.refresh_from_db()
    assert (quota.limit, quota.mode) == (120_000_000, "soft")


def test_it_says_so_when_somebody_else_changed_the_limit(cast: Cast) -> None:
    quota = make_quota(cast, alias="support-chat")
    url, alice = f"/quotas/{quota.public_id}/change/", client_of(cast.alice)
    seen = alice.get(url).context["form"]["seen_revision"].value()
    assert alice.post(url, {"limit": "40", "mode": "hard", "seen_revision": seen}).status_code == 302
    late = {"limit": "100.00", "mode": "soft", "seen_revision": seen}
    overtaken, piece = alice.post(url, late), alice.post(url, late, headers=HTMX)
    assert (overtaken.status_code, piece.status_code) == (409, 422)
    for page in (text(overtaken), text(piece)):
        assert "Somebody changed" in page and "“Limit”, “At the limit”; saving again" in page
        assert 'value="100.00"' in page and 'name="seen_revision" value="2"' in page
    quota.refresh_from_db()
    assert (quota.limit, quota.mode) == (40_000_000, "hard")
    assert alice.post(url, {**late, "limit": "40", "seen_revision": "2"}).status_code == 302
    quota.refresh_from_db()
    assert (quota.limit, quota.mode) == (40_000_000, "soft")


def test_it_works_without_htmx(cast: Cast) -> None:
    quota = make_quota(cast, alias="support-chat")
    url = f"/quotas/{quota.public_id}/change/"
    assert "<html" in text(client_of(cast.alice).get(url))
    assert client_of(cast.alice).post(url, {"limit": "120", "mode": "hard"}).status_code == 302


def test_it_raises_for_a_while_and_ends_it(cast: Cast) -> None:
    quota = make_quota(cast, alias="support-chat")
    until = (clock.now() + dt.timedelta(days=2)).strftime("%Y-%m-%dT%H:%M")
    data = {"amount": "50", "ends_at": until, "reason": "launch week"}
    assert client_of(cast.alice).post(f"/quotas/{quota.public_id}/increase/", data).status_code == 302
    increase = QuotaIncrease.objects.get()
    assert (increase.amount, increase.created_by) == (50_000_000, cast.alice)
    page = text(client_of(cast.alice).get("/quotas/"))
    assert "$150.00" in page and "raised until" in page
    end = f"/quotas/increases/{increase.pk}/end/"
    assert client_of(cast.bob).post(end).status_code == 403
    assert client_of(cast.charlie).post(end).status_code == 404
    assert client_of(cast.alice).post(end).status_code == 302
    again = client_of(cast.alice).post(end)
    assert again.status_code == 422 and "has ended already" in text(again)
    assert "$150.00" not in text(client_of(cast.alice).get("/quotas/"))


@pytest.mark.parametrize(
    "change", [{"amount": "0"}, {"amount": "x"}, {"reason": ""}, {"ends_at": "2020-01-01T00:00"}, {"ends_at": "soon"}]
)
def test_it_refuses_an_increase_that_means_nothing(cast: Cast, change: dict) -> None:
    quota = make_quota(cast, alias="support-chat")
    data = {"amount": "50", "ends_at": "2999-01-01T00:00", "reason": "launch"} | change
    assert client_of(cast.alice).post(f"/quotas/{quota.public_id}/increase/", data).status_code == 422
    assert not QuotaIncrease.objects.exists()


def test_it_removes_after_asking(cast: Cast) -> None:
    quota = make_quota(cast, alias="support-chat")
    url = f"/quotas/{quota.public_id}/remove/"
    assert "will no longer be limited by this quota" in text(client_of(cast.alice).get(url))
    assert Quota.objects.exists()
    assert client_of(cast.alice).post(url).status_code == 302
    assert not Quota.objects.exists()
    assert client_of(cast.alice).post(url).status_code == 404


def test_a_team_wide_limit_is_the_operators(cast: Cast) -> None:
    quota = make_quota(cast)
    assert client_of(cast.alice).post(f"/quotas/{quota.public_id}/remove/").status_code == 403
    assert client_of(cast.operator).post(f"/quotas/{quota.public_id}/remove/").status_code == 302


def test_it_shows_the_last_changes_to_those_who_may_read_the_log(cast: Cast) -> None:
    quota = make_quota(cast)
    quotas.change_quota(actor=make.SYSTEM, quota=quota, limit=120_000_000, mode="hard")
    assert "$100.00 to $120.00" in text(client_of(cast.alice).get("/quotas/"))
    assert "Recent changes" not in text(client_of(cast.bob).get("/quotas/"))


def test_it_warns_of_the_limit_that_runs_out_first(cast: Cast) -> None:
    make_quota(cast, metric="tokens")
    quota = make_quota(cast)
    QuotaCounter.objects.filter(quota=quota).update(used=100_000_000)
    page = text(client_of(cast.operator).get("/quotas/"))
    assert "Team A: Cost per month is used up." in page
    assert "answered with 429 until" in page and "Raise limit" in page


def test_it_draws_what_was_spent(cast: Cast) -> None:
    make_quota(cast)
    a_sum(cast.team_a, clock.now(), alias="summaries", cost_micros=7_000_000)
    page = text(client_of(cast.bob).get("/quotas/"))
    assert "summaries" in page and "$7.00" in page
    chart = json.loads(page.split('<script type="application/json">')[1].split("</script>")[0])
    assert chart["unit"] == "$" and len(chart["data"][0]) == len(chart["data"][1])


def test_names_are_shown_as_text(cast: Cast) -> None:
    make_quota(cast, alias="<b>x</b>")
    page = text(client_of(cast.operator).get("/quotas/"))
    assert "<b>x</b>" not in page and "&lt;b&gt;x&lt;/b&gt;" in page


def test_more_quotas_need_no_more_queries(cast: Cast, django_assert_max_num_queries) -> None:
    make_quota(cast)
    client = client_of(cast.operator)
    client.get("/quotas/")
    with django_assert_max_num_queries(14) as few:
        client.get("/quotas/")
    for window in ("minute", "hour", "day"):
        for metric in ("requests", "tokens", "cost"):
            quota = make_quota(cast, metric=metric, window=window)
            make_quota(cast, metric=metric, window=window, alias="summaries")
        quotas.increase_quota(
            actor=make.SYSTEM, quota=quota, amount=1, reason="x", ends_at=clock.now() + dt.timedelta(days=1)
        )
    with django_assert_max_num_queries(14) as many:
        client.get("/quotas/")
    assert len(few) == len(many)


def test_it_draws_many_limits_page_by_page(cast: Cast) -> None:
    client, row = client_of(cast.operator), 'class="quota-what"'
    fields = {"team": cast.team_a, "metric": "cost", "window": "month", "limit": 1, "since_epoch": 0}
    Quota.objects.bulk_create(Quota(alias=f"alias-{number:02}", **fields) for number in range(52))
    first, last = text(client.get("/quotas/")), text(client.get("/quotas/?page=2"))
    assert "1 to 50 of 52 quotas" in first and 'href="?page=2"' in first and first.count(row) == 50
    assert "51 to 52 of 52 quotas" in last and last.count(row) == 2
    assert text(client.get("/quotas/?page=99")).count(row) == 2, "a page that is gone is the last one"
