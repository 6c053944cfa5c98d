"""Publishing from the page: what it shows first, who may, stale forms, protected labels, rolling back, taking off."""

import pytest

from console.audit.models import AuditEvent
from console.core.clock import now
from console.teams.models import User
from prompts_app import gates
from prompts_app.models import Label, LabelMove, PromptUse, Review
from prompts_app.services.labels import set_rule
from tests import make
from tests.conftest import Cast
from tests.make import actor_for as actor
from tests.prompts.pages.conftest import SignedIn

PUBLISH = "/prompts/answer/-/publish/"


def live(name: str = "production") -> int:
    return Label.objects.get(name=name).version.number


def test_it_shows_the_change_and_whom_it_reaches_then_publishes(cast: Cast, signed_in: SignedIn, bella: User) -> None:
    prompt = make.make_prompt(cast.team_a, "answer", "one\ntwo")
    make.save(prompt, "one\n2")
    PromptUse.objects.create(prompt=prompt, day=now().date(), surface="widget", number=1, calls=1234)
    client = signed_in(bella)
    page = client.get(f"{PUBLISH}?version=2&label=production").content.decode()
    assert ">v1</span> → " in page and "<del>" not in page and ">two<" in page
    assert "Chat widget" in page and "1,234 calls" in page and "Publish v2 to production" in page
    dialog = client.get(f"{PUBLISH}?version=2", headers={"HX-Request": "true"}).content.decode()
    assert "<dialog" in dialog and "data-autoopen" in dialog and "<html" not in dialog
    first = client.get(f"{PUBLISH}?version=2&label=staging").text
    assert 'value="First publication"' in first and "First publication" not in page + dialog
    assert (
        " autofocus" in dialog.partition('name="reason"')[2].partition(">")[0] and 'hx-include="#id_reason"' in dialog
    )
    for label, reason, kept in (
        ("staging", "", "First publication"),
        ("staging", "shorter", "shorter"),
        ("production", "shorter", "shorter"),
    ):
        chosen = client.get(PUBLISH, {"version": 2, "label": label, "reason": reason, "in": "dialog"}).text
        assert f'value="{kept}"' in chosen, (label, reason)
    back = client.get(PUBLISH, {"version": 2, "label": "production", "reason": "First publication"}).text
    assert "First publication" not in back, "it is none there"
    fields = {"version": 2, "label": "production", "reason": "shorter", "seen_revision": 1}
    assert client.post(PUBLISH, fields | {"reason": " "}).status_code == 422
    answer = client.post(PUBLISH, fields)
    assert answer["Location"] == "/prompts/answer/-/versions/2/"
    assert live() == 2
    assert AuditEvent.objects.get(action="prompt.published", reason="shorter").actor == "Bella"
    stale = client.post(PUBLISH, fields | {"version": 1, "reason": "kept words"})
    assert stale.status_code == 409 and b"kept words" in stale.content
    assert b"moved production to version 2" in stale.content
    assert client.post(PUBLISH, fields | {"version": 1}, headers={"HX-Request": "true"}).status_code == 422
    again = client.post(PUBLISH, fields | {"version": 1, "seen_revision": 2}, headers={"HX-Request": "true"})
    assert again["HX-Redirect"] == "/prompts/answer/-/versions/1/"
    assert b"is v1 already" in client.get(f"{PUBLISH}?version=1").content
    wrong = client.get(f"{PUBLISH}?version=1&label=No+Good")
    assert wrong.status_code == 422 and b"cannot be a label" in wrong.content
    assert client.get(f"{PUBLISH}?version=9").status_code == 404
    assert signed_in(cast.bob).post(PUBLISH, fields).status_code == 403
    assert signed_in(cast.charlie).post(PUBLISH, fields).status_code in {403, 404}


def test_it_rolls_back_in_one_click(cast: Cast, signed_in: SignedIn, bella: User) -> None:
    prompt = make.make_prompt(cast.team_a, "answer", "one")
    make.publish(prompt, make.save(prompt, "two"))
    client, fields = signed_in(bella), {"label": "production", "seen_revision": "2"}
    assert "Roll back to v1" in client.get("/prompts/answer/").content.decode()
    for wrong in ("1", "x", ""):
        refused = client.post("/prompts/answer/-/roll-back/", fields | {"seen_revision": wrong})
        assert refused.status_code == 409 and b"Look again" in refused.content, wrong
    assert client.post("/prompts/answer/-/roll-back/", {"label": "nothing"}).status_code == 404
    assert client.post("/prompts/answer/-/roll-back/", fields)["Location"] == "/prompts/answer/"
    assert live() == 1
    assert LabelMove.objects.first().reason == "Rolled back from v2"  # type: ignore[union-attr]
    assert AuditEvent.objects.filter(action="prompt.rolled_back").count() == 1
    # However often other labels have moved since.
    first, second = prompt.versions.order_by("number")
    make.publish(prompt, first, label="beta")
    make.publish(prompt, second, label="beta")
    LabelMove.objects.bulk_create(
        LabelMove(prompt=prompt, label="canary", to_version=first, moved_by_name="x") for _ in range(60)
    )
    assert "Roll back to v1" in client.get("/prompts/answer/").content.decode()
    assert signed_in(cast.bob).post("/prompts/answer/-/roll-back/", fields).status_code == 403


def test_it_takes_a_label_off_with_a_reason(cast: Cast, signed_in: SignedIn, bella: User) -> None:
    prompt = make.make_prompt(cast.team_a, "answer", live="beta")
    client, url = signed_in(bella), "/prompts/answer/-/labels/beta/remove/"
    assert b"Remove beta" in client.get(url).content
    assert client.post(url, {"reason": "", "seen_revision": 1}).status_code == 422
    late = client.post(url, {"reason": "over", "seen_revision": 7})
    assert late.status_code == 409 and 'value="over"' in late.text and 'name="seen_revision" value="1"' in late.text
    assert late.text.count("Look again before you decide.") == 1 and "It differs" not in late.text
    assert client.post(url, {"reason": "over", "seen_revision": 1}).status_code == 302
    assert not Label.objects.filter(prompt=prompt).exists()
    assert client.get(url).status_code == 404
    make.publish(prompt, label="beta")
    assert signed_in(cast.bob).post(url, {"reason": "x", "seen_revision": 1}).status_code == 403


def test_a_protected_label_asks_for_a_review_first(cast: Cast, signed_in: SignedIn, bella: User) -> None:
    prompt = make.make_prompt(cast.team_a, "answer", "one")
    make.save(prompt, "two")
    set_rule(actor=actor(cast.alice), team=cast.team_a, label="production", needs_review=True)
    client = signed_in(bella)
    page = client.get(f"{PUBLISH}?version=2").content.decode()
    assert "Production is protected" in page and "Request review" in page
    fields = {"version": 2, "label": "production", "reason": "shorter", "seen_revision": 1}
    answer = client.post(PUBLISH, fields)
    review = Review.objects.get()
    assert answer["Location"] == f"/prompts/answer/-/reviews/{review.pk}/"
    assert live() == 1
    assert b"Open the review" in client.get("/prompts/answer/").content
    assert b"A review for production is open" in client.get(f"{PUBLISH}?version=2").content
    twice = client.post(PUBLISH, fields)
    assert twice.status_code == 422 and Review.objects.count() == 1


def test_it_names_what_green_tests_say(
    cast: Cast, signed_in: SignedIn, bella: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompt = make.make_prompt(cast.team_a, "answer", "one")
    make.save(prompt, "two")
    set_rule(actor=actor(cast.alice), team=cast.team_a, label="production", needs_review=False, needs_green_tests=True)
    client, fields = signed_in(bella), {"version": 2, "label": "production", "reason": "r", "seen_revision": 1}
    gate = lambda version, label: ["Two of three tests fail."] if version.number == 2 else []  # noqa: E731
    monkeypatch.setattr(gates, "GATES", [gate])
    assert b"Two of three tests fail." in client.get(f"{PUBLISH}?version=2").content
    assert client.post(PUBLISH, fields).status_code == 422
    assert live() == 1
