"""The audit page: who sees what, how a record is found, and that reading is recorded."""

import datetime as dt
import json
import re
import uuid

import pytest

from console.audit import actions
from console.audit.models import AuditEvent
from console.audit.services import changes, record
from console.core.clock import now, period_start
from console.core.ids import request_id, uuid7_at
from console.teams.models import Role
from tests import clock, make
from tests.audit.calls import a_call, a_chat
from tests.conftest import Cast
from tests.make import client_of

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


def text(response) -> str:
    return response.content.decode()


def ids_on(response) -> list[str]:
    """The records of a page, in its order."""
    return [part.partition('"')[0] for part in text(response).split('<tr data-id="')[1:]]


def of(action: actions.Action) -> list[AuditEvent]:
    return list(AuditEvent.objects.filter(action=action.name))


def test_it_lists_the_newest_first_with_figures(cast: Cast) -> None:
    moment = dt.datetime(2026, 11, 20, 14, 31, 52, 418_000, tzinfo=dt.UTC)
    older = a_call(cast.team_a, at=moment - dt.timedelta(seconds=3))
    newer = a_call(cast.team_a, at=moment)
    page = client_of(cast.alice).get("/audit/?type=chat")
    assert ids_on(page) == [str(newer), str(older)]
    for words in ("14:31:52.418", "Friday 20 November 2026", "1.84 s", "1,506", "$0.0071", "meridian", "nightly"):
        assert words in text(page)


def test_it_hides_other_teams_records(cast: Cast) -> None:
    mine, foreign, nobodys = a_call(cast.team_a), a_call(cast.team_b, alias="secret-plan"), a_call(None)
    client = client_of(cast.alice)
    page = client.get("/audit/?type=chat")
    assert ids_on(page) == [str(mine)]
    assert "secret-plan" not in text(page) and "Team B" not in text(page)
    for hidden in (foreign, nobodys):
        assert client.get(f"/audit/{request_id(hidden)}/").status_code == 404
        assert client.get(f"/audit/{request_id(hidden)}/content/").status_code == 404
    assert client.get("/audit/?team=team-b").status_code == 404
    assert client.get("/audit/export/?team=team-b").status_code == 404
    assert client.get("/audit/tail/?team=team-b&after=0&polls=0").status_code == 404
    export = b"".join(client.get("/audit/export/").streaming_content)
    assert b"secret-plan" not in export and request_id(mine).encode() in export


def test_an_operator_sees_records_without_a_team(cast: Cast) -> None:
    nobodys = a_call(None)
    client = client_of(cast.operator)
    assert str(nobodys) in ids_on(client.get("/audit/?type=chat"))
    assert client.get(f"/audit/{request_id(nobodys)}/").status_code == 200


def test_it_refuses_a_member_without_the_right(cast: Cast) -> None:
    identifier = a_call(cast.team_a)
    client = client_of(cast.bob)
    for path in ("", f"{request_id(identifier)}/", "export/", "tail/?after=0&polls=0"):
        assert client.get(f"/audit/{path}").status_code == 403


def test_a_member_elsewhere_with_the_right_is_still_refused_here(cast: Cast) -> None:
    make.make_member(cast.team_b, cast.bob, Role.AUDITOR)
    identifier = a_call(cast.team_a)
    client = client_of(cast.bob)
    assert client.get(f"/audit/{request_id(identifier)}/").status_code == 403
    assert client.get("/audit/?team=team-a").status_code == 403
    assert str(identifier) not in ids_on(client.get("/audit/"))


def test_it_shows_a_record_without_its_content(cast: Cast) -> None:
    identifier = a_call(
        cast.team_a, content=a_chat("What is 42?", "The answer."), prompt='["support-reply@7"]', key=cast.kim
    )
    page = text(client_of(cast.alice).get(f"/audit/{request_id(identifier)}/"))
    assert 'href="/prompts/support-reply/-/versions/7/"' in page
    for words in (
        "1,120 + 386", "412 ms", "support-reply@7", "192.0.2.7", "2026-07-30", cast.kim.shown, "Not sealed yet",
        "Show input and output",
    ):  # fmt: skip
        assert words in page
    assert "What is 42?" not in page
    assert of(actions.CONTENT_READ) == []


def test_a_call_of_a_tool_names_it_and_leads_to_its_run(cast: Cast) -> None:
    run, asked = f"run_{uuid.uuid4().hex}", {"effect": "ask", "rule": "mode", "reason": "A person is asked first."}
    allowed = {"effect": "allow", "rule": "approval", "reason": "Anna: Approved.", "approval": "01a21a23"}
    detail = json.dumps({"run": run, "step": 2, "decisions": [asked, allowed, asked]})
    identifier = a_call(
        cast.team_a, type="tool", surface="agent", agent="clerk@1", target_type="tool", target="restart_service",
        client_request_id=run, alias="", model="", detail=detail,
    )  # fmt: skip
    client = client_of(cast.alice)
    assert "restart_service</code></td>" in text(client.get("/audit/?type=tool"))
    page = text(client.get(f"/audit/{request_id(identifier)}/"))
    assert page.count(f'href="/runs/{run}/"') == page.count(f">{run}<") == 1 and 'href="/agents/clerk/"' in page
    assert "Ask: A person is asked first.\nAllow: Anna: Approved.</dd>" in page, "in order, and each of them once"
    odd = a_call(cast.team_a, agent="no agent", surface="api", client_request_id=run)
    page = text(client.get(f"/audit/{request_id(odd)}/"))
    assert "/runs/" not in page.partition("<main")[2] and "no agent" in page, "what a client sends is no run of ours"
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    joined = a_call(cast.team_a, client_request_id=f"00-{trace}-00f067aa0ba902b7-01")
    assert f'href="/audit/?trace={trace}"' in text(client.get(f"/audit/{request_id(joined)}/"))
    detail = f'{{"route": "canary", "traceparent": "00-{trace}-00f067aa0ba902b7-01"}}'
    named = a_call(cast.team_a, client_request_id="their-id-7", detail=detail)
    page = text(client.get(f"/audit/{request_id(named)}/"))
    assert f'href="/audit/?trace={trace}"' in page and "their-id-7" in page and "00f067aa0ba902b7" not in page
    assert ids_on(found := client.get(f"/audit/?trace={trace}")) == [str(named), str(joined)]
    assert f'value="{trace}"' in text(found) and "Remove the filter Trace" in text(found)


def test_reading_content_is_recorded_once_with_the_records_id(cast: Cast) -> None:
    identifier = a_call(cast.team_a, content=a_chat("What is 42?", "The answer."))
    page = text(client_of(cast.alice).get(f"/audit/{request_id(identifier)}/content/"))
    assert "What is 42?" in page and "The answer." in page
    (line,) = of(actions.CONTENT_READ)
    assert line.target == request_id(identifier)
    assert (line.actor, line.team) == ("Alice", "Team A")
    # The record leads to who read it.
    readers = f"/audit/?q={request_id(identifier)}&amp;type=access"
    assert readers in text(client_of(cast.alice).get(f"/audit/{request_id(identifier)}/"))
    assert ids_on(client_of(cast.alice).get(readers.replace("&amp;", "&"))) == [str(line.pk)]


def test_tokens_and_vectors_are_told_by_their_number(cast: Cast) -> None:
    asked = '{"model": "embed", "input": [[5, 6, 7], [8]]}'
    answered = '{"embeddings": {"count": 2, "dimensions": 256, "encoding_format": "float", "sha256": "9e40"}}'
    identifier = a_call(cast.team_a, content=(asked, answered))
    page = text(client_of(cast.alice).get(f"/audit/{request_id(identifier)}/content/"))
    assert "[3 tokens]" in page and "[1 token]" in page
    assert "2 of 256 numbers" in page and "SHA-256 9e40" in page


def test_content_is_for_those_who_may_read_it(cast: Cast) -> None:
    identifier = a_call(cast.team_a, content=a_chat("What is 42?", "The answer."))
    approver = make.make_member(cast.team_a, role=Role.APPROVER)
    client = client_of(approver)
    assert "Your role may not read content" in text(client.get(f"/audit/{request_id(identifier)}/"))
    assert client.get(f"/audit/{request_id(identifier)}/content/").status_code == 403
    assert client.get("/audit/export/?content=1").status_code == 403
    assert ids_on(client.get("/audit/?q=What+is+42")) == []
    assert of(actions.CONTENT_READ) == [] and of(actions.AUDIT_SEARCHED) == []


def test_untrusted_text_stays_text(cast: Cast) -> None:
    evil = "<script>alert(1)</script><img src=x onerror=alert(1)>"
    identifier = a_call(cast.team_a, content=a_chat(evil, evil), alias=evil, actor=evil, client_request_id=evil)
    client = client_of(cast.alice)
    for path in ("", f"{request_id(identifier)}/", f"{request_id(identifier)}/content/", f"?q={evil}"):
        page = text(client.get(f"/audit/{path}"))
        assert "<script>alert" not in page and "<img" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_it_marks_redactions_and_cuts(cast: Cast, settings) -> None:
    settings.AUDIT_CONTENT_BYTES = 2048
    asked, _ = a_chat("Use fk_live_" + "a1B2" * 8, "")
    identifier = a_call(cast.team_a, content=(asked, "x" * 5000))
    page = text(client_of(cast.alice).get(f"/audit/{request_id(identifier)}/content/"))
    assert '<span class="var">[redacted]</span>' in page
    assert "1 secret redacted" in page
    assert "2,048 characters of 5,000 bytes" in page


def test_it_says_when_content_is_no_longer_kept(cast: Cast) -> None:
    identifier = a_call(cast.team_a, input_sha256=bytes(32))
    assert "so it was deleted" in text(client_of(cast.alice).get(f"/audit/{request_id(identifier)}/content/"))


def test_it_shows_a_change_with_before_and_after(cast: Cast) -> None:
    identifier = record(
        actions.QUOTA_CHANGED,
        actor=make.SYSTEM,
        target=cast.team_a,
        detail=changes({"limit": 100, "mode": "hard"}, {"limit": 250, "mode": "hard"}),
        reason="asked by finance",
    )
    page = text(client_of(cast.alice).get(f"/audit/{request_id(identifier)}/"))
    assert "changed the quota" in page
    assert "<del>100</del>" in page and "<ins>250</ins>" in page
    assert '<th scope="row">mode</th>' not in page
    # A quota's amounts stand in its unit, as where they are set.
    money = {"metric": "cost"} | changes({"limit": 35_000_000}, {"limit": 82_500_000})
    identifier = record(actions.QUOTA_CHANGED, actor=make.SYSTEM, target=cast.team_a, detail=money)
    page = text(client_of(cast.alice).get(f"/audit/{request_id(identifier)}/"))
    assert "<del>$35.00</del>" in page and "<ins>$82.50</ins>" in page
    # What is said besides is said in words and units, too.
    ended = {"state": "failed", "model_calls": 4, "tokens": 2143, "cost_micros": 6259}
    identifier = record(actions.QUOTA_CHANGED, actor=make.SYSTEM, target=cast.team_a, detail=ended)
    page = text(client_of(cast.alice).get(f"/audit/{request_id(identifier)}/"))
    for name, value in {"Model calls": "4", "Tokens": "2,143", "Cost": "$0.0063"}.items():
        assert re.search(rf"<dt>{name}</dt><dd[^>]*>{re.escape(value)}</dd>", page), name
    identifier = record(
        actions.SIGNED_IN, actor=make.SYSTEM, target=cast.alice, detail={"by": ["sign_in_link", "totp"], "missing": []}
    )
    page = text(client_of(cast.operator).get(f"/audit/{request_id(identifier)}/"))
    assert '<dt>Missing</dt><dd class="audit-wrap">None</dd>' in page
    assert "sign-in link, authenticator app" in page and "sign_in_link" not in page


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("status=refused", {"refused"}),
        ("status=error&status=refused", {"refused", "error"}),
        ("alias=other", {"other"}),
        ("environment=sandbox", {"sandbox"}),
        ("type=embedding", {"embedding"}),
        ("type=admin", set()),
        ("range=1h&type=chat", {"refused", "error", "other", "sandbox", "key"}),
        ("q=quota_exceeded", {"refused"}),
        ("q=QUOTA%25", set()),
        ("since=2026-01-01T00:00&until=2026-02-01T00:00", {"january"}),
    ],
)
def test_it_filters(cast: Cast, query: str, expected: set[str]) -> None:
    made = {
        "refused": a_call(cast.team_a, status="refused", code="quota_exceeded"),
        "error": a_call(cast.team_a, status="error"),
        "other": a_call(cast.team_a, alias="other"),
        "sandbox": a_call(cast.team_a, environment="sandbox"),
        "embedding": a_call(cast.team_a, type="embedding"),
        "key": a_call(cast.team_a, key=cast.kim),
        "january": a_call(cast.team_a, at=dt.datetime(2026, 1, 15, 12, tzinfo=dt.UTC)),
    }
    page = client_of(cast.alice).get(f"/audit/?team=team-a&{query}")
    found = {name for name, identifier in made.items() if str(identifier) in ids_on(page)}
    assert found == expected


def test_it_filters_by_whole_days_of_utc(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    noon = int(now().timestamp()) // 86_400 * 86_400 + 43_200
    clock.reads(monkeypatch, lambda: noon * 1_000_000_000)
    midnight = period_start("day", now())
    before, just_before, at_midnight, day_before = (
        a_call(cast.team_a, at=midnight + dt.timedelta(seconds=seconds)) for seconds in (-86_400, -1, 0, -86_401)
    )
    for name, expected in (("yesterday", {before, just_before}), ("today", {at_midnight})):
        page = client_of(cast.alice).get(f"/audit/?team=team-a&type=chat&range={name}")
        found = {one for one in (before, just_before, at_midnight, day_before) if str(one) in ids_on(page)}
        assert found == expected and name.capitalize() in text(page)
        seen = client_of(cast.alice).get(f"/api/audit/events/?team=team-a&type=chat&range={name}").json()["data"]
        assert {one["request_id"] for one in seen} == {request_id(one) for one in expected}


def test_it_filters_by_key_and_person(cast: Cast) -> None:
    by_key = a_call(cast.team_a, key=cast.kim)
    by_person = a_call(cast.team_a, actor_kind="user", actor_id=cast.bob.pk, actor="Bob")
    client = client_of(cast.alice)
    assert ids_on(client.get(f"/audit/?key={cast.kim.pk}")) == [str(by_key)]
    page = client.get(f"/audit/?person={cast.bob.pk}")
    assert ids_on(page) == [str(by_person)]
    assert "Person: <b>Bob</b>" in text(page)


def test_a_chip_takes_its_filter_away_and_keeps_the_others(cast: Cast) -> None:
    page = text(client_of(cast.alice).get("/audit/?team=team-a&alias=x&status=error"))
    assert 'href="/audit/?team=team-a&amp;status=error"' in page
    assert 'href="/audit/?alias=x&amp;status=error"' in page


def test_it_searches_content_and_records_that(cast: Cast) -> None:
    found = a_call(cast.team_a, content=a_chat("Where is the Grüße template?", "Here."))
    a_call(cast.team_a, content=a_chat("Else", "Else"))
    client = client_of(cast.alice)
    assert ids_on(client.get("/audit/?type=chat&q=grüße+TEMPLATE")) == [str(found)]
    (line,) = of(actions.AUDIT_SEARCHED)
    assert json.loads(line.detail) == {"text": "grüße TEMPLATE"}


def test_a_made_up_cursor_or_a_record_searches_on_record_too(cast: Cast) -> None:
    other = a_call(cast.team_a, content=a_chat("zebra", "Here."))
    client = client_of(cast.alice)
    for number, path in enumerate(("?q=zebra&cursor=o" + "f" * 32, f"{request_id(other)}/?q=zebra"), start=1):
        client.get(f"/audit/{path}")
        assert len(of(actions.AUDIT_SEARCHED)) == number, path


def test_a_pasted_id_opens_its_record(cast: Cast) -> None:
    mine, foreign = a_call(cast.team_a), a_call(cast.team_b)
    client = client_of(cast.alice)
    response = client.get("/audit/", {"q": request_id(mine)})
    assert (response.status_code, response["Location"]) == (302, f"/audit/{request_id(mine)}/")
    assert client.get("/audit/", {"q": request_id(foreign)}).status_code == 200
    # So does the id of a response; of one in the background all of its records are listed, whatever ids they have.
    response = client.get("/audit/", {"q": f"resp_{mine.hex}"})
    assert (response.status_code, response["Location"]) == (302, f"/audit/{request_id(mine)}/")
    asked_at = now() - dt.timedelta(minutes=9)
    asked = uuid7_at(asked_at, last=True)
    name = f"resp_{asked.hex}"
    named = {"detail": json.dumps({"response": name})}
    a_call(cast.team_a, at=asked_at, id=asked, status="refused", **named)
    late = a_call(cast.team_a, at=asked_at + dt.timedelta(minutes=5), **named)
    for at, team in ((asked_at - dt.timedelta(minutes=1), cast.team_a), (now(), cast.team_b)):
        a_call(team, at=at, **named)  # nothing before it can name it, and theirs is not seen
    found = client.get("/audit/", {"q": name, "team": cast.team_a.slug, "type": "chat"})
    assert ids_on(found) == [str(late), str(asked)]
    page = client.get(f"/audit/{request_id(late)}/").content.decode()
    assert f'href="/audit/?q={name}"' in page and page.count(name) == 2


def test_it_turns_pages_without_loss_or_repetition(cast: Cast) -> None:
    start = now() - dt.timedelta(hours=1)
    made = [str(a_call(cast.team_a, at=start + dt.timedelta(seconds=n // 2))) for n in range(120)]
    client = client_of(cast.alice)
    page = client.get("/audit/?type=chat")
    first = ids_on(page)
    seen = list(first)
    while page.context["page"].older:
        page = client.get(f"/audit/?type=chat&cursor={page.context['page'].older}")
        seen += ids_on(page)
    assert sorted(seen, reverse=True) == sorted(made, reverse=True)
    assert seen == sorted(seen, reverse=True)
    a_call(cast.team_a)
    while page.context["page"].newer:
        page = client.get(f"/audit/?type=chat&cursor={page.context['page'].newer}")
    assert len(ids_on(page)) <= 50


@pytest.mark.parametrize("cursor", ["x", "o123", "o" + "g" * 32, "50", "n" + "0" * 33])
def test_a_broken_cursor_is_told(cast: Cast, cursor: str) -> None:
    response = client_of(cast.alice).get(f"/audit/?cursor={cursor}")
    assert response.status_code == 400
    assert "Start again from the newest records" in text(response)


def test_a_broken_filter_is_told(cast: Cast) -> None:
    response = client_of(cast.alice).get("/audit/?since=2026-02-01T00:00&until=2026-01-01T00:00&type=nonsense")
    assert response.status_code == 422
    assert "before the start" in text(response)


def test_it_teaches_when_there_is_nothing(cast: Cast) -> None:
    assert "No record matches" in text(client_of(cast.alice).get("/audit/?alias=none"))
    AuditEvent.objects.all()
    fresh = make.make_user("fresh@example.com", is_superuser=True)
    page = text(client_of(fresh).get("/audit/?since=2020-01-01T00:00&until=2020-01-02T00:00"))
    assert "No record matches" in page


def test_it_answers_htmx_with_the_piece_asked_for(cast: Cast) -> None:
    identifier = a_call(cast.team_a, content=a_chat("Hello", "Hi"))
    client = client_of(cast.alice)
    drawer = text(client.get(f"/audit/{request_id(identifier)}/", headers=HTMX | {"HX-Target": "drawer"}))
    assert drawer.strip().startswith("<aside") and "<html" not in drawer
    content = text(client.get(f"/audit/{request_id(identifier)}/content/", headers=HTMX | {"HX-Target": "content"}))
    assert content.strip().startswith('<div id="content"')
    rows = text(client.get("/audit/", headers=HTMX | {"HX-Target": "list"}))
    assert "<html" not in rows and str(identifier) in rows
    closed = text(client.get("/audit/", headers=HTMX | {"HX-Target": "drawer"}))
    assert "hidden" in closed and str(identifier) not in closed


def test_a_record_leads_to_its_neighbours_in_the_filter(cast: Cast) -> None:
    start = now() - dt.timedelta(minutes=5)
    ids = [a_call(cast.team_a, at=start + dt.timedelta(seconds=n), alias="abc"[n % 2]) for n in range(4)]
    page = text(client_of(cast.alice).get(f"/audit/{request_id(ids[1])}/?alias=b"))
    aside = page.partition("<aside")[2]
    assert f"/audit/{request_id(ids[3])}/?alias=b" in aside
    assert f"/audit/{request_id(ids[2])}/" not in aside and f"/audit/{request_id(ids[0])}/" not in aside


def test_more_records_take_no_more_queries(cast: Cast, django_assert_max_num_queries) -> None:
    for _ in range(60):
        a_call(cast.team_a, key=cast.kim)
    client = client_of(cast.alice)
    client.get("/audit/")
    with django_assert_max_num_queries(20):
        assert len(ids_on(client.get("/audit/"))) == 50
