"""Settings, required partials, waivers, deleting, and what a team asks before a label moves."""

from console.audit.models import AuditEvent
from console.teams.models import Role, User
from prompts_app.models import LabelRule, Prompt, Waiver
from tests import make
from tests.conftest import Cast
from tests.prompts.pages.conftest import SignedIn


def test_it_changes_what_is_said_about_a_prompt(cast: Cast, signed_in: SignedIn, bella: User) -> None:
    prompt = make.make_prompt(cast.team_a, "answer")
    client, url = signed_in(bella), "/prompts/answer/-/settings/"
    fields = {"description": "For help", "tags": "Live, live, new", "visibility": "organisation"}
    assert client.post(url, fields)["Location"] == url
    prompt.refresh_from_db()
    assert (prompt.description, prompt.tags, prompt.visibility) == ("For help", ["live", "new"], "organisation")
    assert AuditEvent.objects.filter(action="prompt.changed").count() == 1
    wrong = client.post(url, fields | {"tags": "x" * 41, "description": "kept"})
    assert wrong.status_code == 422 and b"kept" in wrong.content
    seen = signed_in(cast.bob).get(url).content.decode()
    assert "Save changes" not in seen and "Delete prompt" not in seen
    assert signed_in(cast.bob).post(url, fields).status_code == 403


def test_a_partial_is_required_by_those_who_may_bind_others(cast: Cast, signed_in: SignedIn, bella: User) -> None:
    make.make_prompt(cast.team_a, "tone", "Be kind.", kind="partial", visibility="organisation")
    make.make_prompt(cast.team_a, "has", "{{> tone}}")
    make.make_prompt(cast.team_a, "lacks", "no tone")
    make.make_prompt(cast.team_b, "theirs", "no tone")
    url = "/prompts/tone/-/require/"
    owner = signed_in(cast.alice)
    assert signed_in(bella).post(url, {"is_required": "on"}).status_code == 403
    everybody = owner.post(url, {"is_required": "on"})
    assert everybody.status_code == 422 and b"Only operators" in everybody.content
    assert owner.post(url, {"is_required": "on", "covers": [str(cast.team_a.pk)]}).status_code == 302
    page = owner.get("/prompts/tone/-/settings/").content.decode()
    missing = page.partition("Prompts that miss it")[2]
    assert "lacks" in missing and "theirs" not in missing and ">has<" in page.partition("Prompts that miss it")[0]
    operator = signed_in(cast.operator)
    assert operator.post(url, {"is_required": "on"}).status_code == 302
    assert "theirs" in operator.get("/prompts/tone/-/settings/").content.decode().partition("Prompts that miss it")[2]
    assert owner.post(url, {}).status_code == 422, "what binds everybody is not an owner's to end"
    assert (
        operator.post(url, {"is_required": "on", "covers": [str(cast.team_a.pk), str(cast.team_b.pk)]}).status_code
        == 302
    )
    assert owner.post(url, {"covers": [str(cast.team_a.pk)]}).status_code == 422, "Team B is bound by somebody else"
    assert owner.post(url, {"is_required": "on"}).status_code == 302, "their own team they may free"
    tone = Prompt.objects.get(slug="tone")
    assert tone.is_required and list(tone.covers.all()) == [cast.team_b]


def test_it_says_so_when_somebody_else_changed_the_settings(cast: Cast, signed_in: SignedIn, bella: User) -> None:
    tone = make.make_prompt(cast.team_a, "tone", "Be kind.", kind="partial", visibility="organisation")
    client, url, owner = signed_in(bella), "/prompts/tone/-/settings/", signed_in(cast.operator)
    opened = owner.get(url)
    assert opened.text.count('<input type="hidden" name="seen_revision" value="1">') == 2
    fields = {"description": "For help", "tags": "live", "visibility": "organisation", "seen_revision": "1"}
    assert client.post(url, fields | {"visibility": "team"}).status_code == 302
    overtaken = client.post(url, fields | {"description": "typed words"})
    assert overtaken.status_code == 409 and "Somebody changed the settings of tone" in overtaken.text
    assert 'value="typed words"' in overtaken.text and "“Description”, “Who may use it”; saving" in overtaken.text
    require = "/prompts/tone/-/require/"
    late = owner.post(require, {"is_required": "on", "covers": [str(cast.team_a.pk)], "seen_revision": "1"})
    assert late.status_code == 409 and "“Required”, “Teams it covers”; saving again" in late.text
    tone.refresh_from_db()
    assert (tone.visibility, tone.is_required, tone.settings_revision) == ("team", False, 2)
    assert client.post(url, fields | {"seen_revision": "2"}).status_code == 302
    again = owner.post(require, {"seen_revision": "2"})
    assert again.status_code == 409 and "It says what you typed already." in again.text
    assert owner.post(require, {"is_required": "on", "seen_revision": "3"}).status_code == 302
    tone.refresh_from_db()
    assert (tone.visibility, tone.is_required, tone.settings_revision) == ("organisation", True, 4)


def test_a_waiver_has_a_reason_and_an_end(cast: Cast, signed_in: SignedIn, bella: User) -> None:
    make.make_prompt(cast.team_a, "answer", "one")
    make.make_prompt(cast.team_a, "tone", "Be kind.", kind="partial", visibility="organisation")
    Prompt.objects.filter(slug="tone").update(is_required=True)
    approver = signed_in(make.make_member(cast.team_a, role=Role.APPROVER))
    url = "/prompts/answer/-/waivers/"
    assert b"Missing: the next version must include it" in approver.get("/prompts/answer/-/settings/").content
    assert approver.post(url, {"partial": "tone", "reason": ""}).status_code == 422
    assert approver.post(url, {"partial": "no-such", "reason": "x"}).status_code == 404
    assert approver.post(url, {"partial": "tone", "reason": "Only digits"}).status_code == 302
    assert b"May go without: Only digits" in signed_in(bella).get("/prompts/answer/-/settings/").content
    waiver = Waiver.objects.get()
    assert signed_in(bella).post(f"{url}{waiver.pk}/end/").status_code == 403
    asked = approver.get(f"{url}{waiver.pk}/end/").content.decode()
    assert waiver.reason in asked and "must include it again" in asked and Waiver.objects.exists()
    assert approver.post(f"{url}{waiver.pk}/end/").status_code == 302
    assert approver.post(f"{url}{waiver.pk}/end/").status_code == 404
    assert AuditEvent.objects.filter(action__startswith="waiver.").count() == 2


def test_it_deletes_only_what_nothing_uses(cast: Cast, signed_in: SignedIn, bella: User) -> None:
    make.make_prompt(cast.team_a, "tone", "Be kind.", kind="partial", visibility="organisation")
    make.make_prompt(cast.team_a, "mine", "{{> tone}}")
    make.make_prompt(cast.team_b, "secret", "{{> tone}}")
    client = signed_in(bella)
    page = client.get("/prompts/tone/-/settings/").content.decode()
    assert "See where it is used" in page and "Delete prompt" not in page
    assert "Delete prompt" in client.get("/prompts/mine/-/settings/").content.decode()
    page = client.get("/prompts/tone/-/delete/").content.decode()
    assert "cannot be deleted while it is in use" in page and "mine" in page
    assert "secret" not in page and "1 of teams you do not belong to" in page
    refused = client.post("/prompts/tone/-/delete/")
    assert refused.status_code == 409
    assert Prompt.objects.filter(slug="tone", deleted_at=None).exists()
    assert client.post("/prompts/mine/-/delete/")["Location"] == "/prompts/"
    assert client.get("/prompts/mine/").status_code == 404
    assert AuditEvent.objects.filter(action="prompt.deleted").count() == 1
    assert signed_in(cast.bob).post("/prompts/tone/-/delete/").status_code == 403


def test_a_team_says_what_it_asks_before_a_label_moves(cast: Cast, signed_in: SignedIn, bella: User) -> None:
    owner = signed_in(cast.alice)
    fields = {"team": "team-a", "label": "production", "needs_review": "on"}
    assert owner.post("/prompts/rules/", fields)["Location"] == "/prompts/rules/"
    assert LabelRule.objects.get().needs_review
    page = signed_in(bella).get("/prompts/rules/").content.decode()
    assert "Review by somebody else" in page and "Set the rule" not in page and "Team B" not in page
    wrong = owner.post("/prompts/rules/", fields | {"label": "No Good"})
    assert wrong.status_code == 422 and b"cannot be a label" in wrong.content and b"No Good" in wrong.content
    assert signed_in(bella).post("/prompts/rules/", fields).status_code == 403
    assert owner.post("/prompts/rules/", fields | {"team": "team-b"}).status_code == 404
    assert owner.post("/prompts/rules/", {"team": "team-a", "label": "production"}).status_code == 302
    assert not LabelRule.objects.exists()
    assert AuditEvent.objects.filter(action__startswith="label_rule").count() == 2
