"""The inventory: everything that uses AI in one list, what it did, what is expected of it, and what does the same."""

import datetime as dt
import json
import re
import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from agents_app.models import Run, Trigger
from console.audit.models import AuditEvent
from console.core.clock import now
from console.teams.actors import SYSTEM
from console.teams.models import ApiKey, Role, Team
from console.teams.services import keys as key_services
from console.touchpoints import access, overlaps, queries
from console.touchpoints.models import Expectation, Kind, LegacyTouchpoint
from console.touchpoints.rows import MOST_OVERLAPS, Touchpoint
from console.touchpoints.services import expectations, legacy
from prompts_app.models import PromptKeyUse
from tests import make
from tests.conftest import Cast
from tests.make import client_of
from tests.usage.rows import a_touchpoint_day
from usage_app.models import UsageTouchpoint

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


def of(cast: Cast) -> dict[str, Touchpoint]:
    """Return the inventory of Team A as Alice has it, by name."""
    from console.teams.access import rights_of
    from console.teams.callers import Caller

    caller = Caller(actor=make.actor_for(cast.alice), user=cast.alice, rights=rights_of(cast.alice))
    return {row.name: row for row in queries.inventory(access.reach_of(caller)).rows}


def expect(cast: Cast, kind: str, subject: object, expected: str) -> None:
    expectations.set_expectation(
        actor=SYSTEM, team=cast.team_a, kind=kind, subject_id=subject.pk, name=str(subject), expected=expected
    )


def old(*rows: object) -> None:
    for row in rows:
        type(row).objects.filter(pk=row.pk).update(created_at=now() - dt.timedelta(days=90))


def _ran(run: Run, seconds: int) -> None:
    ended, took = now(), dt.timedelta(seconds=seconds)
    Run.objects.filter(pk=run.pk).update(state="succeeded", created_at=ended - took, ended_at=ended)


def test_it_lists_everything_with_what_it_did(cast: Cast) -> None:
    moment = now()
    assistant = make.make_agent(cast.team_a, "helper", name="Helper")
    widget = make.make_widget(cast.team_a, assistant, name="Help centre", origins=["https://shop.example"])
    hidden = make.make_agent(cast.team_a, "behind", name="Behind the widget")
    make.make_widget(cast.team_a, hidden, name="Returns")
    worker = make.make_agent(cast.team_a, "nightly", name="Nightly")
    Trigger.objects.create(agent=worker, kind="schedule", name="Every night", config={"cron": "0 3 * * *"})
    for seconds in (60, 100):
        _ran(make.make_run(worker, cast.alice), seconds)
    asked = make.make_run(worker, cast.alice)
    make.make_approval(asked)
    _ran(asked, 100_000)
    make.make_key(cast.team_a, "reads usage", scopes=["usage:read"])
    make.make_key(cast.team_b, "of others")
    legacy.create_legacy(actor=SYSTEM, team=cast.team_a, name="Old bot", kind="chat", model="OpenAI gpt-4o")
    slow = (1_000_000, 9_000_000)
    a_touchpoint_day(cast.team_a, "key", cast.kim.pk, moment - dt.timedelta(days=2), durations=slow)
    a_touchpoint_day(cast.team_a, "key", cast.kim.pk, moment - dt.timedelta(days=1), alias="other", model="fake/b")
    a_touchpoint_day(cast.team_a, "key", cast.kim.pk, moment - dt.timedelta(days=40), requests=500)
    a_touchpoint_day(cast.team_a, "agent", "helper", moment)
    old(widget)
    expect(cast, "key", cast.kim, "real_time")
    expect(cast, "agent", worker, "minutes")
    rows = of(cast)
    assert set(rows) == {"kim", "Helper", "Help centre", "Returns", "Nightly", "Old bot"}

    kim = rows["kim"]
    assert (kim.requests, kim.cost_micros, kim.state, kim.last_used_at) == (
        3,
        3000,
        "slower",
        moment - dt.timedelta(days=1),
    )
    assert kim.aliases == ["other", "support-chat"] and kim.models == ["fake/b", "fake/model"]
    assert 2_000_000 < kim.observed.first_token < 2_500_000 < 8_000_000 < kim.observed.p95
    assert (rows["Helper"].source, rows["Helper"].state) == ("assistant", "unset")
    assert (rows["Help centre"].state, rows["Returns"].state) == ("unused", "unset")
    nightly = rows["Nightly"]
    assert nightly.kind_words == "agent, scheduled" and "0 3 * * *" in nightly.place
    # Of the runs nobody was asked in: half of them took 80 s.
    assert nightly.observed.is_of_runs and abs(nightly.observed.p50 - 80_000_000) < 500_000
    assert nightly.state == "in_time"
    # Days that are over are remembered, but not against calls that are added to them.
    assert of(cast)["kim"] == kim
    a_touchpoint_day(cast.team_a, "key", cast.kim.pk, moment - dt.timedelta(days=20), requests=7)
    assert of(cast)["kim"].requests == 10
    UsageTouchpoint.objects.filter(requests=7).update(requests=8, last_at=moment)
    assert of(cast)["kim"].requests == 11
    assert rows["Old bot"].state == "planned"


def test_a_key_and_those_it_replaced_are_one(cast: Cast) -> None:
    moment = now()
    expect(cast, "key", cast.kim, "seconds")
    a_touchpoint_day(cast.team_a, "key", cast.kim.pk, moment)
    new, _ = key_services.rotate_key(actor=SYSTEM, key=cast.kim)
    a_touchpoint_day(cast.team_a, "key", new.pk, moment)
    row = of(cast)["kim"]
    assert (row.id, row.requests, row.expected, row.state) == (new.pk, 2, "seconds", "in_time")
    ApiKey.objects.filter(pk=new.pk).update(revoked_at=moment)
    ApiKey.objects.filter(pk=cast.kim.pk).update(expires_at=None, revoked_at=None)
    assert of(cast)["kim"].id == cast.kim.pk


def test_it_finds_those_that_do_the_same_work(cast: Cast) -> None:
    moment = now()
    prompt = make.make_prompt(cast.team_a, "support/voice")
    one = make.make_agent(cast.team_a, "one", name="One", prompt=prompt)
    make.make_agent(cast.team_a, "two", name="Two", prompt=prompt)
    make.make_widget(cast.team_a, one, name="One on a site")
    make.make_agent(cast.team_a, "three", name="Three", prompt=make.make_prompt(cast.team_a, "support/other"))
    a_touchpoint_day(cast.team_a, "agent", "one", moment)
    lea, _ = make.make_key(cast.team_a, "lea")
    make.make_key(cast.team_a, "max")
    for key in (cast.kim, lea):
        PromptKeyUse.objects.create(prompt=prompt, day=moment.date(), key_id=key.pk, team_id=cast.team_a.pk, calls=1)
        a_touchpoint_day(cast.team_a, "key", key.pk, moment, model="openai/gpt-4o")
    elsewhere = {"actor": SYSTEM, "team": cast.team_a, "kind": "api"}
    legacy.create_legacy(**elsewhere, name="Script", model="OpenAI GPT-4o")
    legacy.create_legacy(**elsewhere, name="Small", model="OpenAI gpt-4o-mini")
    legacy.create_legacy(**elsewhere, name="Gone", model="OpenAI gpt-4o", status="retired")
    found = {name: sorted(link.name for link in row.overlaps) for name, row in of(cast).items()}
    assert found == {
        "One": ["Two"],
        "Two": ["One", "One on a site"],
        "One on a site": ["Two"],
        "Three": [],
        "kim": ["Script", "lea"],
        "lea": ["Script", "kim"],
        "max": [],
        "Script": ["kim", "lea"],
        "Small": [],
        "Gone": [],
    }


def test_it_names_a_few_of_many_that_do_the_same() -> None:
    team, moment = Team(slug="t"), now()
    rows = [
        Touchpoint("legacy", uuid.uuid4(), f"Bot {n}", team, (Kind.CHAT,), moment, legacy=LegacyTouchpoint(model=model))
        for n, model in enumerate(["OpenAI gpt-4o"] * 999 + ["gpt-4o", "本地"])
    ]
    overlaps.find(rows)
    assert {len({link.id for link in row.overlaps} - {row.id}) for row in rows[:-1]} == {MOST_OVERLAPS}
    assert rows[0].overlaps_left == "many more" and not rows[-1].overlaps


def test_the_page_filters_and_teaches(cast: Cast) -> None:
    alice = client_of(cast.alice)
    ApiKey.objects.all().delete()
    assert "Start with an inventory" in alice.get("/touchpoints/").text
    make.make_key(cast.team_a, "kim")
    expect(cast, "key", ApiKey.objects.get(), "minutes")
    a_touchpoint_day(cast.team_a, "key", ApiKey.objects.get().pk, now())
    for name, status in (("Old bot", "planned"), ("Older <b>bot", "migrated")):
        legacy.create_legacy(actor=SYSTEM, team=cast.team_a, name=name, kind="chat", status=status)
    page = alice.get("/touchpoints/").text
    assert ">Old bot<" in page and "Older" not in page and "1 of 2 done" in page and "In time" in page
    assert "Older &lt;b&gt;bot" in alice.get("/touchpoints/?state=over").text
    for query, names in {
        "kind=chat": {"Old bot"}, "kind=api": {"kim"}, "q=OLD": {"Old bot"}, "state=in_time": {"kim"},
        "state=slower": set(), "state=nonsense&kind=nonsense&page=99999": {"kim", "Old bot"},
    }.items():  # fmt: skip
        page = alice.get(f"/touchpoints/?{query}", headers=HTMX).text
        assert "<html" not in page and {n for n in ("kim", "Old bot") if f">{n}</a>" in page} == names, query
    exported = json.loads(alice.get("/touchpoints/export.json?kind=api").text)["data"]
    assert [row["name"] for row in exported] == ["kim"] and exported[0]["state"] == "in_time"
    legacy.create_legacy(actor=SYSTEM, team=cast.team_a, name="=1+1", kind="chat")
    assert "'=1+1" in alice.get("/touchpoints/export.csv").text
    lines = AuditEvent.objects.filter(action="touchpoints.exported", actor_id=cast.alice.pk).order_by("id")
    as_json, as_csv = (json.loads(line.detail) for line in lines)
    assert as_json == {"format": "json", "rows": 1, "filter": {"kind": "api"}} and as_csv["format"] == "csv"
    stranger = client_of(cast.charlie)
    assert "kim" not in stranger.get("/touchpoints/").text + stranger.get("/touchpoints/export.json").text
    assert stranger.get("/touchpoints/?team=team-a").status_code == 404
    assert ">kim<" in client_of(cast.operator).get("/touchpoints/?team=team-a").text


def test_an_expectation_is_set_in_its_line(cast: Cast) -> None:
    alice, url = client_of(cast.alice), f"/touchpoints/key/{cast.kim.pk}/expectation/"
    assert "Expectations for kim" in alice.get(url).text
    piece = alice.get(f"{url}?state=slower", headers=HTMX).text
    assert "Expectations for kim" in piece and "<html" not in piece
    bad = alice.post(url, {"expected": "at once", "owner": "Ines", "purpose": "Help"}, headers=HTMX)
    assert bad.status_code == 422 and 'value="Ines"' in bad.text
    saved = alice.post(f"{url}?kind=api", {"expected": "seconds", "owner": "Ines", "purpose": "Help"})
    assert saved["Location"] == f"/touchpoints/?kind=api#key-{cast.kim.pk}"
    alice.post(url, {"expected": "seconds", "owner": "Ines", "purpose": "Help"})  # changes nothing, says nothing
    piece = alice.post(url, {"expected": "overnight", "owner": "Ines", "purpose": "Help"}, headers=HTMX)
    assert "Overnight" in piece.text and "Saved the expectations" in piece["HX-Trigger"]
    lines = AuditEvent.objects.filter(action="expectation.set").order_by("id")
    assert [json.loads(line.detail) for line in lines] == [
        {
            "before": {"owner": "", "expected": "", "purpose": ""},
            "after": {"owner": "Ines", "expected": "seconds", "purpose": "Help"},
        },
        {"before": {"expected": "seconds"}, "after": {"expected": "overnight"}},
    ]
    assert {line.target for line in lines} == {"key kim"} and {line.team for line in lines} == {"Team A"}
    member = client_of(cast.bob)
    assert ">Set<" not in member.get("/touchpoints/").text and "Overnight" in member.get("/touchpoints/").text
    assert member.post(url, {"expected": "seconds"}).status_code == 403
    assert Expectation.objects.get().expected == "overnight"


def test_it_asks_the_database_no_more_for_more(cast: Cast) -> None:
    client = client_of(make.make_member(cast.team_a, role=Role.BUILDER))

    def grow(n: int) -> None:
        agent = make.make_agent(cast.team_a, f"agent-{n}")
        Trigger.objects.create(agent=agent, kind="schedule", name="Every night", config={"cron": "0 3 * * *"})
        make.make_widget(cast.team_a, make.make_agent(cast.team_a, f"assistant-{n}"), name=f"widget {n}")
        key, _ = make.make_key(cast.team_a, f"key {n}")
        a_touchpoint_day(cast.team_a, "key", key.pk, now())
        expect(cast, "key", key, "seconds")
        legacy.create_legacy(actor=SYSTEM, team=cast.team_a, name=f"bot {n}", kind="chat")

    def count() -> int:
        with CaptureQueriesContext(
            connection,
        ) as asked:
            assert client.get("/touchpoints/").status_code == 200
        return len(asked)

    grow(0)
    count()
    before = count()
    for n in range(1, 4):
        grow(n)
    assert count() == before
    assert UsageTouchpoint.objects.count() == LegacyTouchpoint.objects.count() == 4


def test_places_elsewhere_are_listed_changed_brought_over_and_taken_off(cast: Cast) -> None:
    alice = client_of(cast.alice)
    typed = {"team": "team-a", "name": "Help desk bot", "kind": "chat", "spend": "a lot", "status": "planned"}
    refused = alice.post("/touchpoints/new/", typed)
    assert refused.status_code == 422 and "is no amount" in refused.text and 'value="Help desk bot"' in refused.text
    typed |= {"spend": "$1,200.50", "expected": "real_time", "model": "OpenAI gpt-4o", "notes": "Line one.\r\nTwo."}
    one = None
    assert alice.post("/touchpoints/new/", typed).status_code == 302
    one = LegacyTouchpoint.objects.get()
    assert (one.spend_micros, one.notes, one.status) == (1_200_500_000, "Line one.\nTwo.", "planned")
    assert (
        "is in the team&#x27;s list already" in alice.post("/touchpoints/new/", typed | {"name": "HELP desk bot"}).text
    )
    url = f"/touchpoints/{one.pk}/"
    assert 'value="1200.50"' in alice.get(url).text
    typed |= {"owner": "Ines", "status": "migrating", "seen_revision": 1, "replaced_by": ""}
    assert alice.post(url, typed).status_code == 302
    stale = alice.post(url, typed | {"owner": "Tomas"})
    assert stale.status_code == 409 and "Somebody changed Help desk bot" in stale.text and 'value="Tomas"' in stale.text
    assert "“Owner”" in stale.text and "“Notes”" not in stale.text and "saving again replaces that" in stale.text
    assert stale.context["form"]["seen_revision"].value() == "2", "no dead end"

    other, _ = make.make_key(cast.team_b, "of others")
    make.make_key(cast.team_a, "kim", environment="sandbox")
    offered = re.findall(r">(kim[^<]+)<", alice.get(f"{url}migrate/").text)
    assert {"kim (API key)", "kim (API key, sandbox)"} <= set(offered), "two of one name are told apart"
    assert alice.post(f"{url}migrate/", {"replaced_by": f"key:{other.pk}"}).status_code == 422
    assert alice.post(f"{url}migrate/", {"replaced_by": f"key:{cast.kim.pk}"}).status_code == 302
    page = alice.get("/touchpoints/?state=over").text
    assert "Migrated" in page and f'<a class="link" href="/keys/{cast.kim.pk}/">kim</a>' in page
    ApiKey.objects.filter(pk=cast.kim.pk).update(revoked_at=now())
    assert "kim (not there any more)" in alice.get(url).text
    bob = client_of(cast.bob)
    assert (
        "1,200.50" in bob.get(url).text
        and "<form" not in bob.get(url).text.partition("<main")[2].partition("</main")[0]
    )
    assert bob.post(url, typed).status_code == bob.post(f"{url}remove/").status_code == 403
    assert alice.post(f"{url}remove/").status_code == 302
    assert not LegacyTouchpoint.objects.exists()
    lines = AuditEvent.objects.filter(action__startswith="legacy.").order_by("id")
    assert [line.action for line in lines] == ["legacy.created", "legacy.changed", "legacy.changed", "legacy.removed"]
    assert json.loads(lines[2].detail) == {
        "before": {"status": "migrating", "replaced_by": ""},
        "after": {"status": "migrated", "replaced_by": "key kim"},
    }


def test_a_list_is_taken_whole_or_not_at_all(cast: Cast) -> None:
    alice = client_of(cast.alice)
    bad = (
        "\ufeffName, Where, Kind, Expected, Spend\n"
        'Bot, "help.example.com, left", chat, real time, 300\n\n'
        "Bot, x, chat, , \n"
        ", y, robots, soon, much\n"
        "Script, z, api, overnight, 3, 4\n"
    )
    page = alice.post("/touchpoints/import/", {"team": "team-a", "csv": bad})
    assert page.status_code == 422 and "help.example.com, left" in page.text
    for said in (
        "Line 4, name: &#x27;Bot&#x27; is on line 2 already.",
        "Line 5, name: Give it a name.",
        "Line 5, kind: &#x27;robots&#x27; is not one of chat, api, agent, scheduled.",
        "Line 5, expected: &#x27;soon&#x27; is not one of real time, seconds, minutes, overnight.",
        "Line 5, spend: &#x27;much&#x27; is no amount.",
        "Line 6: 6 cells for 5 columns.",
    ):
        assert said in page.text, said
    for text, said in (
        ("", "Choose a file or paste a list."),
        ("name,kind\n", "Below its head the list is empty."),
        ("name,colour\na,b\n", "&#x27;colour&#x27; is no column here"),
        ('name,kind\n"a,chat\n', "this is not CSV"),
        ("name,kind\n" + "a\n" * 501, "The list has 501 places; 500 at most."),
        ("name,kind\nİx,chat\nix,chat\n", "&#x27;ix&#x27; is in the team&#x27;s list already."),
    ):
        assert said in alice.post("/touchpoints/import/", {"team": "team-a", "csv": text}).text, said
    assert not LegacyTouchpoint.objects.exists()

    good = "name;where;kind;model;owner;expected;spend\nBot;help.example.com, left;chat;gpt;Ines;Real-time;$300\n"
    url = "/touchpoints/import/"
    assert alice.post(url, {"team": "team-a", "csv": good})["Location"] == "/touchpoints/?state=to_migrate"
    bot = LegacyTouchpoint.objects.get()
    assert (bot.place, bot.expected, bot.spend_micros, bot.status) == (
        "help.example.com, left", "real_time", 300_000_000, "planned",
    )  # fmt: skip
    more = good + "Script;cron;scheduled;gpt;Tomas;overnight;\n"
    assert (
        "Line 2, name: &#x27;Bot&#x27; is in the team&#x27;s list already."
        in alice.post(url, {"team": "team-a", "csv": more}).text
    )
    assert alice.post(url, {"team": "team-a", "csv": more, "skip_known": "on"}).status_code == 302
    assert LegacyTouchpoint.objects.count() == 2
    assert AuditEvent.objects.filter(action="legacy.created").count() == 2
    assert client_of(cast.bob).post(url, {"team": "team-a", "csv": more}).status_code == 403
    assert alice.post(url, {"team": "team-b", "csv": more}).status_code == 422
