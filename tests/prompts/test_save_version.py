"""Saving: what is written, what is refused, and that nobody's words are lost."""

from functools import partial
from typing import Any

import pytest

from console.audit.models import AuditEvent
from console.audit.sql import epoch
from console.core.errors import BadInput, Conflict
from console.teams.actors import SYSTEM, Actor
from prompts_app.errors import (
    CircularInclude,
    MissingPartial,
    NothingChanged,
    RequiredPartial,
    StalePrompt,
    StillUsed,
    TooDeep,
)
from prompts_app.models import Draft, Prompt, PromptVersion
from prompts_app.services import prompts, versions
from tests import make
from tests.at_once import at_once
from tests.conftest import Cast


def alice(cast: Cast) -> Actor:
    return Actor("user", cast.alice.pk, "Alice")


def test_it_writes_the_next_version_with_author_message_and_parent(cast: Cast) -> None:
    prompt = make.make_prompt(cast.team_a, "support/answer", "Hello {{name}}.", live=None)
    first = prompt.head
    Draft.objects.create(prompt=prompt, person=cast.alice, base=first)
    make.make_prompt(cast.team_a, "house", "we", kind="partial")
    before = epoch()
    saved = make.save(
        prompt,
        "Hi {{name}}, {{> house}}.",
        actor=alice(cast),
        message=" shorter ",
        parameters={"temperature": 0.2},
    )
    assert first is not None
    assert (saved.number, saved.parent, saved.message) == (2, first, "shorter")
    assert (saved.author_name, saved.author_id, saved.author_email) == ("Alice", cast.alice.pk, "alice@example.com")
    assert saved.includes == [{"slug": "house", "number": None, "label": None}]
    assert saved.variables[0]["name"] == "name" and saved.parameters == {"temperature": 0.2}
    prompt.refresh_from_db()
    assert prompt.head == saved and prompt.includes == ["house"]
    assert not Draft.objects.exists()
    line = AuditEvent.objects.get(action="prompt.saved")
    assert (line.target, line.team_id, line.actor) == ("support/answer", cast.team_a.pk, "Alice")
    assert epoch() == before, "no call depends on what is only saved"


def test_it_refuses_what_cannot_be_a_version(cast: Cast) -> None:
    prompt = make.make_prompt(cast.team_a, "a", "Text {{x}}")
    with pytest.raises(NothingChanged, match="version 1"):
        make.save(prompt, "Text {{x}}")
    for text, fields, says in (
        ("{{x.y}}", {}, "neither"),
        ("x" * 100_001, {}, "100,001"),
        ("x", {"variables": [{"name": "x"}, {"name": "x"}]}, "declared twice"),
        ("x", {"variables": [{"name": "x", "type": "choice"}]}, "needs choices"),
        ("x", {"variables": [{"name": "x", "type": "number", "default": "3"}]}, "default must be a number"),
        ("x", {"variables": [{"name": "x", "oops": 1}]}, "'oops'"),
        ("x", {"parameters": {"temperature": 3}}, "from 0 to 2"),
        ("x", {"parameters": {"base_url": "http://evil"}}, "'base_url' is not a parameter"),
        ("x", {"message": "m" * 501}, "501"),
    ):
        with pytest.raises(BadInput, match=says):
            make.save(prompt, text, **fields)
    assert PromptVersion.objects.count() == 1


def test_it_names_partials_that_are_missing_circular_or_too_deep(cast: Cast) -> None:
    def partial(slug: str, text: str, team: Any = None, **fields: Any) -> Prompt:
        return make.make_prompt(team or cast.team_a, slug, text, kind="partial", **fields)

    partial("theirs", "secret", cast.team_b)
    partial("shared", "ours", cast.team_b, visibility="organisation")
    c = partial("c", "end")
    partial("b", "{{> c}}")
    prompt = make.make_prompt(cast.team_a, "top", "{{> b}} {{> shared}}")
    for text, says in (
        ("{{> gone}}", "'gone'.*none of that name"),
        ("{{> theirs}}", "'theirs'.*none of that name"),
        ("{{> b@9}}", "'b@9'.*no version 9"),
        ("{{> b:canary}}", "'b:canary'.*no label 'canary'"),
        ("{{> top}}", "top > top"),
    ):
        with pytest.raises((MissingPartial, CircularInclude), match=says):
            make.save(prompt, text)
    make.make_prompt(cast.team_a, "plain", "x")
    with pytest.raises(MissingPartial, match="a text prompt, not a partial"):
        make.save(prompt, "{{> plain}}")
    with pytest.raises(CircularInclude, match="c > b > c"):
        make.save(c, "{{> b}}")
    for name, below in (("d5", "c"), ("d4", "d5"), ("d3", "d4"), ("d2", "d3")):
        partial(name, f"{{{{> {below}}}}}")
    make.save(prompt, "{{> d2}}")
    with pytest.raises(TooDeep, match="d1 > d2 > d3 > d4 > d5 > c"):
        partial("d1", "{{> d2}}")
    partial("e", "fine")
    with pytest.raises(TooDeep):
        make.save(c, "{{> e}}")  # would push what includes it one too deep


def test_it_says_who_was_quicker_and_keeps_both(cast: Cast) -> None:
    prompt = make.make_prompt(cast.team_a, "a", "one")
    began_on = prompt.head
    make.save(prompt, "two", actor=alice(cast), message="kinder")
    fields: dict[str, Any] = {"actor": SYSTEM, "prompt": prompt, "content": [{"role": "", "text": "three"}]}
    with pytest.raises(StalePrompt, match="Alice saved version 2 .*kinder.*began on version 1") as caught:
        versions.save_version(parent=began_on, **fields)
    assert caught.value.head == 2 and caught.value.status == 409


def test_a_required_partial_is_in_every_text_or_waived(cast: Cast) -> None:
    old = make.make_prompt(cast.team_a, "old", "from before")
    style = make.make_prompt(cast.team_a, "style", "Be kind.", kind="partial")
    prompts.change_prompt(actor=SYSTEM, prompt=style, is_required=True, covers=[cast.team_a])
    make.make_prompt(cast.team_b, "elsewhere", "not covered")
    make.make_prompt(cast.team_a, "wrap", "{{> style}}!", kind="partial")
    make.make_prompt(cast.team_a, "fresh", "{{> wrap}} Hello")  # reached through another partial
    with pytest.raises(RequiredPartial, match="{{> style}}"):
        make.save(old, "still without")
    with pytest.raises(RequiredPartial):
        make.make_prompt(cast.team_a, "another", "without")
    assert make.save(old, "with {{> style}}").number == 2


def test_a_slug_is_taken_once_and_free_again_after_deletion(cast: Cast) -> None:
    prompt = make.make_prompt(cast.team_a, "a", "x", live=None)
    with pytest.raises(Conflict, match="taken"):
        make.make_prompt(cast.team_b, "a", "y")
    prompts.delete_prompt(actor=SYSTEM, prompt=prompt)
    again = make.make_prompt(cast.team_b, "a", "y")
    assert again.pk != prompt.pk and PromptVersion.objects.filter(prompt=prompt).count() == 1


def test_it_is_neither_deleted_nor_hidden_while_others_include_it(cast: Cast) -> None:
    style = make.make_prompt(cast.team_a, "style", "kind", kind="partial", visibility="organisation")
    user = make.make_prompt(cast.team_b, "b", "{{> style}}")
    with pytest.raises(StillUsed, match="1 of other teams"):
        prompts.delete_prompt(actor=SYSTEM, prompt=style)
    with pytest.raises(StillUsed, match="other teams"):
        prompts.change_prompt(actor=SYSTEM, prompt=style, visibility="team")
    make.save(user, "without")
    with pytest.raises(StillUsed):
        prompts.delete_prompt(actor=SYSTEM, prompt=style)  # what is live still includes it
    make.publish(user)
    prompts.delete_prompt(actor=SYSTEM, prompt=style)
    assert AuditEvent.objects.filter(action="prompt.deleted", target="style").exists()


def test_two_savers_at_once_get_one_version_and_one_refusal(committed_db: None) -> None:
    team = make.make_team("Racers")
    prompt = make.make_prompt(team, "a", "one")
    save = partial(versions.save_version, actor=SYSTEM, prompt=prompt, parent=prompt.head)
    outcomes = at_once(*(partial(save, content=[{"role": "", "text": f"text {n}"}]) for n in range(4)))
    assert [one.number for one in outcomes if isinstance(one, PromptVersion)] == [2]
    refused = [one for one in outcomes if not isinstance(one, PromptVersion)]
    assert [type(one) for one in refused] == [StalePrompt] * 3
    assert all("saved version 2" in str(one) for one in refused)


def test_two_that_begin_to_include_each_other_make_no_circle(committed_db: None) -> None:
    team = make.make_team("Racers")
    pair = [make.make_prompt(team, slug, "x", kind="partial") for slug in ("a", "b")]

    def include(prompt: Prompt, other: str) -> PromptVersion:
        content = [{"role": "", "text": f"{{{{> {other}}}}}"}]
        return versions.save_version(actor=SYSTEM, prompt=prompt, content=content, parent=prompt.head)

    outcomes = at_once(partial(include, pair[0], "b"), partial(include, pair[1], "a"))
    assert sorted(type(one).__name__ for one in outcomes) == ["CircularInclude", "PromptVersion"]
