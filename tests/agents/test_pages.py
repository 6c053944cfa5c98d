"""The pages of agents: build one, publish it, compare, roll back, share, archive."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from agents_app.models import Agent, Run
from agents_app.models.triggers import Trigger
from agents_app.services import agents as services
from console.audit.models import AuditEvent
from console.chat.models import Widget
from console.core.clock import now
from console.knowledge.errors import StillUsed
from console.knowledge.models import Collection
from console.knowledge.services.collections import create_collection, delete_collection
from console.teams.actors import SYSTEM
from tests import make


@pytest.fixture
def builder(signed_in, bella):
    return signed_in(bella)


def form_of(agent, **changes):
    """Return what the draft's form sends, with these fields typed."""
    draft = Agent.objects.select_related("draft").get(pk=agent.pk).draft
    fields = {
        "prompt_slug": draft.prompt_slug,
        "which": draft.prompt_number or draft.prompt_label,
        "alias": draft.alias,
        "seen_revision": draft.revision,
        "do": "save",
    }
    return fields | changes


def test_it_builds_an_assistant_from_nothing_without_htmx(builder, cast):
    make.make_alias("support-chat", production=make.make_model())
    make.make_alias("embed", production=make.make_model(capabilities=["embedding"]))
    prompt = make.make_prompt(
        cast.team_a, "shop/voice", "You speak for {{shop}}, {{times}} times.",
        variables=[{"name": "shop"}, {"name": "times", "type": "number"}],
    )  # fmt: skip
    assert "No agent yet" in builder.get("/agents/").text
    made = builder.post("/agents/new/", {"name": "Helper", "slug": "", "team": "team-a"})
    assert made["Location"] == "/agents/helper/edit/"
    page = builder.get("/agents/helper/edit/").text
    assert "Choose the prompt with its instructions." in page and "Choose the alias it answers with." in page
    assert "This team has no documents yet" in page and '<details class="panel">' in page, "no parameter is set yet"
    prices = create_collection(actor=SYSTEM, team=cast.team_a, slug="prices", name="Prices")
    assert "Prices (Team A)" in builder.get("/agents/helper/edit/").text
    assert page.count("needed to publish") == 2 and 'value="support-chat"' in page and 'value="embed"' not in page
    agent = Agent.objects.get()
    looked = builder.post("/agents/helper/edit/", form_of(agent, prompt_slug=prompt.slug, do="look")).text
    assert 'name="var-shop"' in looked and 'name="var-times"' in looked
    assert looked.count("needed to publish") == 4, "the variables too: without them the prompt says nothing"
    assert Agent.objects.get().draft.prompt_slug == "", "looking saves nothing"
    page = builder.get("/agents/helper/").text
    assert not any(way in page for way in ("/agents/helper/publish/", "/agents/helper/run/", "/chat/?agent=helper")), (
        "what cannot work is not offered"
    )
    page = builder.get("/agents/helper/run/").text
    assert "The draft cannot answer yet" in page and "Choose the alias it answers with." in page
    said = builder.post("/agents/helper/run/", {"what": "draft", "environment": "sandbox", "answer-message": "Hi"})
    assert said.status_code == 422 and not Run.objects.exists()
    typed = form_of(
        agent,
        **{"prompt_slug": prompt.slug, "alias": "support-chat", "var-shop": "Larkfield", "var-times": "2"},
        temperature="0.4",
        more='{"stop": ["END"]}',
        output_tokens="200",
        knowledge=["prices"],
        passages="3",
        opening_message="Hello!",
        suggested_questions="Where is my order?\n\nWho are you?",
    )
    asked = builder.post("/agents/helper/edit/", form_of(agent, do="prompt"))
    assert asked["Location"] == "/prompts/new/?team=team-a&agent=helper", "an agent needs one, and a newcomer has none"
    for do, page in (("grant", "grants/new/"), ("limits", "limits/"), ("publish", "publish/")):
        typed |= {"do": do, "seen_revision": Agent.objects.get().draft.revision}
        assert builder.post("/agents/helper/edit/", typed)["Location"] == f"/agents/helper/{page}"
    draft = Agent.objects.get().draft  # saved by the first of them, and whole
    assert draft.prompt_variables == {"shop": "Larkfield", "times": 2}
    assert '<details class="panel" open>' in builder.get("/agents/helper/edit/").text
    assert draft.parameters == {"stop": ["END"], "temperature": 0.4} and draft.limits == {
        "output_tokens": 200,
        "passages": 3,
    }
    assert draft.suggested_questions == ["Where is my order?", "Who are you?"]
    assert "/agents/helper/run/" in builder.get("/agents/helper/").text
    assert '<option value="production">' in builder.get("/agents/helper/run/").text
    page = builder.get("/agents/helper/publish/")
    assert "Larkfield" in page.text and "Publish v1" in page.text and "prices" in page.text
    seen = {"seen_revision": draft.revision, "seen_live": 0, "message": "first"}
    assert builder.post("/agents/helper/publish/", seen)["Location"] == "/agents/helper/"
    builder.post("/agents/helper/edit/", form_of(agent, which="canary", alias="support-chat"))
    page = builder.get("/agents/helper/").text
    assert "no label" in page and "Publish a version to it" in page and "/agents/helper/publish/" not in page
    assert "You speak for Larkfield, 2 times." in page and "Hello!" in page and "agent:helper" in page
    assert 'href="/chat/?agent=helper"' in page, "what answers can be talked to"
    line = AuditEvent.objects.filter(action="agent.published").get()
    assert (line.target, line.reason, line.team) == ("helper", "first", "Team A")
    with pytest.raises(StillUsed, match="in use: agent helper"):
        delete_collection(actor=SYSTEM, collection=prices)


def test_it_says_what_is_wrong_at_the_field_and_keeps_what_was_typed(builder, cast):
    agent = make.make_agent(cast.team_a, "helper")
    for typed, says in (
        ({"prompt_slug": "Not A Prompt"}, "must be the name of a prompt"),
        ({"which": "No Label"}, "cannot be a label"),
        ({"temperature": "9"}, "must be a number from 0 to 2"),
        ({"more": "{"}, "This is not JSON."),
        ({"more": "[" * 60_000}, "This is not JSON."),
        ({"more": '{"stop": "\\u0000"}'}, "This is not JSON."),
        ({"more": '{"max_tokens": 3}'}, "limits.output_tokens"),
        ({"messages": "0"}, "greater than or equal to 1"),
        ({"suggested_questions": "\n".join("abcdefg")}, "at most 6 questions"),
        ({"alias": "no-such"}, "not one of the available choices"),
    ):
        response = builder.post("/agents/helper/edit/", form_of(agent, opening_message="typed words", **typed))
        assert response.status_code == 422 and says in response.text, typed
        assert "typed words" in response.text
    for typed, says in (
        ({"slug": "new"}, "address of a page"),
        ({"slug": "helper"}, "is taken"),
        ({"slug": "A b"}, "cannot be"),
    ):
        response = builder.post("/agents/new/", {"name": "N", "team": "team-a", "slug": "fresh", **typed})
        assert response.status_code == 422 and says in response.text, typed


def test_two_people_do_not_overwrite_each_other(builder, cast):
    agent = make.make_agent(cast.team_a, "helper", input_schema={"type": "object"})
    mine = form_of(agent, opening_message="mine", which="7")
    builder.post("/agents/helper/edit/", form_of(agent, opening_message="theirs", which="7"))
    stale = builder.post("/agents/helper/edit/", mine)
    assert stale.status_code == 409
    assert "changed the draft" in stale.text and "mine" in stale.text and "theirs" in stale.text
    assert "in “Opening message”; saving again replaces that" in stale.text
    assert '<th scope="row">Input</th>' not in stale.text, "what the form does not ask stays as it is"
    again = builder.post("/agents/helper/edit/", form_of(agent, opening_message="mine", which=""))
    assert again.status_code == 302 and Agent.objects.get().draft.opening_message == "mine"
    old = {"seen_revision": 1, "seen_live": 1, "message": "kept words"}
    stale = builder.post("/agents/helper/publish/", old)
    assert stale.status_code == 409 and "kept words" in stale.text and "differs" not in stale.text
    shown = stale.context["form"]
    again = old | {name: shown[name].value() for name in ("seen_revision", "seen_live")}
    assert again != old and builder.post("/agents/helper/publish/", again).status_code == 302, "no dead end"
    stale = builder.post("/agents/helper/versions/1/roll-back/", {"reason": "kept words", "seen_revision": 1})
    assert stale.status_code == 409 and "kept words" in stale.text and "made version 2 live" in stale.text


def test_it_compares_and_rolls_back(builder, cast):
    agent = make.make_agent(cast.team_a, "helper")
    make.publish_agent(agent, opening_message="Good day", limits={"messages": 9})
    page = builder.get("/agents/helper/compare/").text
    assert "Good day" in page and "Messages per call" in page and "v1 to v2" in page
    assert "The two are identical" in builder.get("/agents/helper/compare/?a=2&b=2").text
    assert builder.get("/agents/helper/compare/?a=7").status_code == 404
    old = builder.get("/agents/helper/versions/1/").text
    assert "/agents/helper/versions/1/roll-back/" in old
    page = builder.get("/agents/helper/versions/1/roll-back/").text
    assert "Make v1 live" in page
    assert builder.post("/agents/helper/versions/1/roll-back/", {"seen_revision": 3}).status_code == 422
    rolled = builder.post("/agents/helper/versions/1/roll-back/", {"reason": "too stiff", "seen_revision": 3})
    assert rolled.status_code == 302
    agent.refresh_from_db()
    assert agent.live.number == 1 and "too stiff" in builder.get("/agents/helper/").text
    same = builder.post("/agents/helper/versions/1/roll-back/", {"reason": "again", "seen_revision": 4})
    assert same.status_code == 422 and "is live already" in same.text


def test_it_says_grants_in_words_where_versions_differ(builder, cast):
    make.make_alias("support-chat", production=make.make_model(capabilities=["chat", "tools"]))
    make.make_tool(cast.team_a, "refund", effect="write", digest="a" * 64)
    agent = make.make_agent(cast.team_a, "helper", grants=[{"tool": "refund"}])
    rule = {"id": "old", "effect": "deny", "when": {"order": {"max_length": 3}}}
    limits = {"arguments": {"order": {"prefix": "2026-"}}, "rules": [rule], "most_calls": 2, "editable": ["order"]}
    make.publish_agent(agent, grants=[{"tool": "refund", "mode": "ask", "others_approve": True, **limits}])
    (found,) = builder.get("/agents/helper/compare/").context["differences"]
    assert (found.name, found.was) == ("Tool refund", f"any arguments\nas reviewed, {'a' * 12}")
    assert found.now.splitlines() == [
        "Requires another approver",
        "order begins 2026-",
        "deny if order length ≤ 3",
        "2 per run",
        "editable on approval: order",
        f"as reviewed, {'a' * 12}",
    ]


def test_sharing_shows_what_it_says_not_how_it_is_made(builder, signed_in, cast):
    prompt = make.make_prompt(cast.team_a, "secret/voice", "Never tell: swordfish.")
    agent = make.make_agent(cast.team_a, "helper", prompt=prompt, opening_message="Ask me")
    stranger = signed_in(cast.charlie)
    assert stranger.get("/agents/helper/").status_code == 404
    page = builder.get("/agents/helper/settings/").text
    assert 'name="shared_with"' not in page, "bella belongs to no other team"
    for typed, status in (
        ({"audience": "teams"}, 422),
        ({"audience": "nobody"}, 422),
        ({"audience": "organisation"}, 302),
    ):
        response = builder.post("/agents/helper/settings/", {"name": "Helper", "description": "Asks back", **typed})
        assert response.status_code == status, typed
    page = stranger.get("/agents/helper/")
    assert page.status_code == 200 and "Ask me" in page.text and "Asks back" in page.text
    assert "swordfish" not in page.text and "secret/voice" not in page.text
    for inside in ("versions/1/", "compare/", "where-used/", "settings/"):
        assert stranger.get(f"/agents/helper/{inside}").status_code == 403, inside
    services.change_agent(actor=SYSTEM, agent=agent, audience="teams", shared_with=[cast.team_b])
    builder.post("/agents/helper/settings/", {"name": "Helper 2", "description": "", "audience": "teams"})
    assert list(agent.shared_with.all()) == [cast.team_b], "teams bella does not see stay"
    asker = signed_in(cast.bob).get("/agents/helper/").text
    assert "swordfish" in asker and "/agents/helper/edit/" not in asker and "/agents/helper/publish/" not in asker


def test_it_does_not_open_an_agent_again_with_an_older_form(builder, cast):
    agent = make.make_agent(cast.team_a, "helper", audience="organisation")
    url = "/agents/helper/settings/"
    fields = {"name": "Helper", "description": "", "audience": "organisation"}
    fields["seen_revision"] = builder.get(url).context["form"]["seen_revision"].value()
    assert builder.post(url, fields | {"audience": "team"}).status_code == 302
    overtaken = builder.post(url, fields | {"description": "typed words"})
    assert overtaken.status_code == 409 and "Somebody changed the settings of Helper" in overtaken.text
    assert 'value="typed words"' in overtaken.text and "“Description”, “Who may use it”; saving" in overtaken.text
    agent.refresh_from_db()
    assert (agent.audience, agent.description) == ("team", "")
    again = fields | {"description": "typed words", "audience": "team", "seen_revision": "2"}
    assert builder.post(url, again).status_code == 302
    agent.refresh_from_db()
    assert (agent.audience, agent.description, agent.settings_revision) == ("team", "typed words", 3)


def test_tools_that_start_an_agent_are_among_its_uses(builder, cast, settings):
    agent = make.make_agent(cast.team_a, "helper")
    queue = Trigger.objects.create(agent=agent, kind="queue", name="Mail", owner_name="A", config={"queue": "mail"})
    Trigger.objects.create(
        agent=agent, kind="queue", name="Out", owner_name="A", config={"queue": "out", "broker": "b"}
    )
    hook = Trigger.objects.create(agent=agent, kind="webhook", name="Shop", owner_name="Alice")
    base = settings.BASE_URL
    make.make_tool(cast.team_a, "hand_over", kind="queue", config={"queue": "mail", "action": "put"})
    make.make_tool(cast.team_a, "take_mail", kind="queue", config={"queue": "mail", "action": "take"})
    make.make_tool(cast.team_a, "put_out", kind="queue", config={"queue": "out", "action": "put"})
    make.make_tool(cast.team_b, "their_mail", kind="queue", config={"queue": "mail", "action": "put"})
    make.make_tool(cast.team_a, "ring", config={"url": f"{base}/hooks/{hook.pk}/"})
    make.make_tool(cast.team_a, "ask", config={"url": f"{base}/v1/agents/helper/runs"})
    make.make_tool(cast.team_a, "ask_other", config={"url": f"{base}/v1/agents/helper-two/runs"})
    make.make_tool(cast.team_b, "far", config={"url": f"{base}/v1/agents/helper/runs"})
    page = builder.get("/agents/helper/where-used/").text
    assert re.findall(r'href="/tools/[0-9a-f-]+/">([^<]+)</a>', page) == ["Ask", "Hand over", "Ring"]
    assert "1 of teams you do not belong to" in page
    queue.delete()
    hook.delete()
    page = builder.get("/agents/helper/where-used/").text
    assert "Hand over" not in page and "Ring" not in page


def test_it_archives_what_nothing_uses_and_deletes_what_was_never_published(builder, cast):
    agent = make.make_agent(cast.team_a, "helper")
    widget = Widget.objects.create(public_id="w", team=cast.team_a, agent=agent, name="Shop window")
    Widget.objects.create(public_id="x", team=cast.team_b, agent=agent, name="Elsewhere")
    page = builder.get("/agents/helper/where-used/").text
    assert "Shop window" in page and "Elsewhere" not in page and "1 of teams you do not belong to" in page
    Trigger.objects.create(agent=agent, kind="schedule", name="Each morning", owner_name="Alice")
    page = builder.get("/agents/helper/where-used/").text
    assert 'Where used <span class="count">3</span>' in page, "what starts it counts"
    assert 'href="/agents/helper/triggers/">Each morning</a>' in page and ">Schedule</td>" in page
    removing = builder.get("/agents/helper/remove/").text
    assert "Shop window" in removing and "Each morning" not in removing, "it does not hold the agent"
    refused = builder.post("/agents/helper/remove/")
    assert refused.status_code == 409 and "is in use" in refused.text
    Widget.objects.all().delete()
    assert widget.pk and builder.post("/agents/helper/remove/")["Location"] == "/agents/"
    assert builder.get("/agents/helper/").status_code == 404
    make.make_agent(cast.team_a, "never", is_live=False)
    assert "never published" in builder.get("/agents/never/remove/").text
    builder.post("/agents/never/remove/")
    assert not Agent.objects.filter(slug="never").exists()


def test_its_documents_lead_to_their_collections(builder, cast):
    own, shared = make.make_collection(cast.team_a, "manuals"), make.make_collection(None, "policies")
    of_all = make.make_collection(None, "manuals")
    make.make_agent(cast.team_a, "helper", knowledge=["manuals", "policies"])
    page = builder.get("/agents/helper/").text
    for one in (own, shared):
        assert f'<a class="link mono" href="/knowledge/{one.pk}/">{one.slug}</a>' in page
        assert builder.get(f"/knowledge/{one.pk}/").status_code == 200
    assert str(of_all.pk) not in page, "the team's own stands before the organisation's"
    Collection.objects.filter(pk=shared.pk).update(deleted_at=now())
    assert "<code>policies</code>" in builder.get("/agents/helper/").text, "there is none to lead to"


def test_the_list_finds_and_asks_the_same_for_many(builder, cast):
    prompt = make.make_prompt(cast.team_a, "one/for-all")
    make.make_agent(cast.team_a, "helper", prompt=prompt, description="Answers about orders")

    def queries():
        with CaptureQueriesContext(
            connection,
        ) as seen:
            page = builder.get("/agents/")
        assert page.status_code == 200
        return len(seen)

    builder.get("/agents/")
    few = queries()
    for number in range(12):
        make.make_agent(cast.team_a, f"other-{number}", prompt=prompt, is_live=number % 2 == 0)
    assert queries() == few
    found = builder.get("/agents/?q=orders").text
    assert "/agents/helper/" in found and "/agents/other-1/" not in found
    assert "No agent matches" in builder.get("/agents/?q=nothing-like-it").text
    whole = builder.get("/agents/").text
    assert 'hx-get="/agents/" hx-include="closest form" hx-trigger="input changed delay' in whole
    assert ">Search</button>" not in whole, "it follows what is typed, as every list does"
    piece = builder.get("/agents/?q=orders", headers={"HX-Request": "true", "HX-Target": "list"}).text
    assert "/agents/helper/" in piece and "<form" not in piece and "<h1" not in piece
    assert builder.get("/agents/?page=99999999&q=%00").status_code == 200
