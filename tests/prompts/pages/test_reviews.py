"""Reviews from the page: the desk, remarks at lines, the decision, and what the author does with it."""

import html
import re

import pytest

from console.audit.models import AuditEvent
from console.teams.models import Role, User
from prompts_app.models import Label, Review
from prompts_app.services import reviews as services
from prompts_app.services.labels import set_rule
from tests import make
from tests.conftest import Cast
from tests.make import actor_for as actor
from tests.prompts.pages.conftest import SignedIn


@pytest.fixture
def review(cast: Cast, bella: User) -> Review:
    """Bella asks to publish version 2 of `answer` to production, which Team A protects."""
    prompt = make.make_prompt(cast.team_a, "answer", "one\ntwo\nthree")
    version = make.save(prompt, "one\n2\nthree", actor=actor(bella))
    set_rule(actor=actor(cast.alice), team=cast.team_a, label="production", needs_review=True)
    return services.request_review(
        actor=actor(bella), prompt=prompt, version=version, label="production", reason="clearer", seen_revision=1
    )


@pytest.fixture
def approver(cast: Cast) -> User:
    return make.make_member(cast.team_a, make.make_user("anna@example.com"), Role.APPROVER)


def url(review: Review, verb: str = "") -> str:
    return f"/prompts/answer/-/reviews/{review.pk}/{verb}"


def test_it_waits_at_the_desk_of_those_who_may_decide(
    cast: Cast, signed_in: SignedIn, review: Review, approver: User, bella: User
) -> None:
    for user in (approver, cast.alice, cast.operator):
        page = signed_in(user).get("/prompts/reviews/")
        assert [row.pk for row in page.context["desk"].waiting] == [review.pk], user
        assert '1<span class="vh"> waiting for you' in signed_in(user).get("/prompts/").content.decode()
    own = signed_in(bella).get("/prompts/reviews/").context["desk"]
    assert (own.waiting, [row.pk for row in own.own]) == ([], [review.pk])
    assert signed_in(cast.charlie).get("/prompts/reviews/").context["desk"].waiting == []
    assert b"No review yet" in signed_in(cast.charlie).get("/prompts/reviews/").content
    assert signed_in(cast.charlie).get(url(review)).status_code == 404
    attention = signed_in(approver).get("/").content.decode()
    assert "Bella asks to publish v2 of answer" in attention and url(review) in attention


def test_it_keeps_remarks_at_their_lines(cast: Cast, signed_in: SignedIn, review: Review, approver: User) -> None:
    client = signed_in(approver)
    page = client.get(url(review) + "?at=0-2").content.decode()
    assert "Your comment on line 2" in page and 'id="l-0-2"' in page
    said = {"text": "Why a digit? <script>", "message_index": 0, "line": 2}
    assert client.post(url(review, "comment/"), said)["Location"] == url(review)
    client.post(url(review, "comment/"), {"text": "Reads well."})
    page = client.get(url(review)).content.decode()
    assert "Why a digit? &lt;script&gt;" in page.partition('id="l-0-2"')[2].partition('id="l-0-3"')[0]
    assert "Reads well." in page.partition("General comments")[2]
    piece = client.post(url(review, "comment/"), {**said, "text": "Again"}, headers={"HX-Request": "true"})
    assert piece.status_code == 200 and b'id="change"' in piece.content and b"<html" not in piece.content
    for wrong in ({"text": " "}, {"text": "kept", "line": 99, "message_index": 0}, {"text": "kept", "line": "x"}):
        answer = client.post(url(review, "comment/"), wrong)
        assert answer.status_code == 422, wrong
    assert review.comments.count() == 3
    assert signed_in(cast.bob).post(url(review, "comment/"), said).status_code == 403
    assert b"Add remark" not in signed_in(cast.bob).get(url(review)).content


def test_somebody_else_decides_and_the_author_publishes(
    cast: Cast, signed_in: SignedIn, review: Review, approver: User, bella: User
) -> None:
    author, other = signed_in(bella), signed_in(approver)
    assert b"Approve v2" not in author.get(url(review)).content
    assert author.post(url(review, "decide/"), {"decision": "approve"}).status_code == 403
    owner = signed_in(cast.alice)
    assert b"Approve v2" in owner.get(url(review)).content
    silent = other.post(url(review, "decide/"), {"decision": "changes", "note": ""})
    assert silent.status_code in {400, 422} and b"Say what should change" in silent.content
    assert other.post(url(review, "decide/"), {"decision": "maybe"}).status_code == 422
    assert other.post(url(review, "decide/"), {"decision": "approve", "note": "Good"}).status_code == 302
    assert AuditEvent.objects.filter(action="review.approved").count() == 1
    page = author.get(url(review)).content.decode()
    assert "Publish v2 to production" in page and "Good" in page and "Withdraw approval" not in page
    # Why was said when the review was asked for, so the page that publishes begins with it.
    (leads_to,) = set(re.findall(r'href="(/prompts/[^"]*/publish/[^"]*)"', page))
    assert 'value="clearer"' in author.get(html.unescape(leads_to)).text
    assert b"Withdraw approval" in other.get(url(review)).content
    assert author.post(url(review, "take-back/")).status_code == 403
    assert other.post(url(review, "take-back/"))["Location"] == url(review)
    assert b"Approve v2" in other.get(url(review)).content
    assert other.post(url(review, "take-back/")).status_code == 409
    assert b"Publish v2 to production</a>" not in author.get(url(review)).content
    other.post(url(review, "decide/"), {"decision": "approve", "note": "Good"})
    fields = {"version": 2, "label": "production", "reason": "reviewed", "seen_revision": 1}
    desk = author.get("/prompts/reviews/").context["desk"]
    assert ([row.pk for row in desk.own], desk.decided) == ([review.pk], []), "it goes on until it is published"
    assert author.post("/prompts/answer/-/publish/", fields).status_code == 302
    assert Label.objects.get(name="production").version.number == 2
    desk = author.get("/prompts/reviews/").context["desk"]
    assert (desk.own, [row.pk for row in desk.decided]) == ([], [review.pk])
    assert "Production is v2 now" in author.get(url(review)).content.decode()


def test_nobody_approves_their_own(cast: Cast, signed_in: SignedIn, review: Review) -> None:
    services.withdraw(actor=actor(cast.alice), review=review)
    own = services.request_review(
        actor=actor(cast.alice),
        prompt=review.prompt,
        version=review.version,
        label="production",
        reason="mine",
        seen_revision=1,
    )
    client = signed_in(cast.alice)
    assert b"somebody else decides" in client.get(url(own)).content
    answer = client.post(url(own, "decide/"), {"decision": "approve"})
    assert answer.status_code == 403 and b"Somebody else has to decide" in answer.content
    own.refresh_from_db()
    assert own.status == Review.Status.OPEN


def test_it_asks_for_changes_and_can_be_withdrawn(
    cast: Cast, signed_in: SignedIn, review: Review, approver: User, bella: User
) -> None:
    signed_in(approver).post(url(review, "decide/"), {"decision": "changes", "note": "Spell it out."})
    author = signed_in(bella)
    assert b"Anna asked for changes in v2" in author.get("/prompts/answer/").content
    assert signed_in(cast.bob).post(url(review, "withdraw/")).status_code == 403
    assert author.post(url(review, "withdraw/"))["Location"] == "/prompts/answer/"
    twice = author.post(url(review, "withdraw/"))
    assert twice.status_code == 409 and b"This review is over" in twice.content
    assert AuditEvent.objects.filter(action="review.withdrawn").count() == 1


def test_a_builder_sees_what_waits_for_others(cast: Cast, signed_in: SignedIn, review: Review, bella: User) -> None:
    colleague = make.make_member(cast.team_a, make.make_user("ben@example.com"), Role.BUILDER)
    page = signed_in(colleague).get("/prompts/reviews/")
    desk = page.context["desk"]
    assert (desk.waiting, desk.own, [row.pk for row in desk.others]) == ([], [], [review.pk])
    assert b"Waiting for others" in page.content and b"No review yet" not in page.content
    assert signed_in(bella).get("/prompts/reviews/").context["desk"].others == []
    assert signed_in(cast.alice).get("/prompts/reviews/").context["desk"].others == [], "it waits for her"


def test_it_says_when_nobody_else_could_approve(cast: Cast, signed_in: SignedIn) -> None:
    prompt = make.make_prompt(cast.team_a, "answer", "one")
    make.save(prompt, "two")
    set_rule(actor=actor(cast.alice), team=cast.team_a, label="production", needs_review=True)
    path = "/prompts/answer/-/publish/?version=2&label=production"
    words = "until an owner makes somebody an owner or approver there, only operators decide"
    assert words in signed_in(cast.alice).get(path).content.decode(), "she is the only owner"
    make.make_member(cast.team_a, make.make_user("anna@example.com"), Role.APPROVER)
    assert words not in signed_in(cast.alice).get(path).content.decode()
