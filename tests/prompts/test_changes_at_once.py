"""Two people change prompts that have to do with each other at the same moment: nobody waits in a circle."""

import json
import threading
from collections.abc import Callable
from typing import Any

from django.db import connections, transaction

from console.core.errors import Conflict, Refusal
from console.teams.actors import SYSTEM
from console.teams.models import Role
from prompts_app.errors import MissingPartial
from prompts_app.git.langfuse import import_langfuse
from prompts_app.models import Label, Prompt, Review
from prompts_app.services import prompts, reviews
from prompts_app.services.common import locked
from tests import make
from tests.between import somebody_waits
from tests.waiting import until


class Meanwhile:
    """What somebody else does at the same time; `came` is what it came to."""

    def __init__(self, what: Callable[[], Any]) -> None:
        self.came: Any = None
        self._what = what
        self._thread = threading.Thread(target=self._work)

    def _work(self) -> None:
        try:
            self.came = self._what()
        except Refusal as refusal:
            self.came = refusal
        finally:
            connections.close_all()

    def begin(self) -> None:
        self._thread.start()
        until(somebody_waits, "the second change waits for the first")

    def end(self) -> Any:
        self._thread.join()
        return self.came


def test_changes_of_what_belongs_together_take_their_turn(committed_db: None) -> None:
    team = make.make_team("Racers")
    who = make.make_member(team, role=Role.OWNER)
    ann = make.actor_for(who)

    # A new request for a review makes the one in which changes were asked for end, while somebody remarks on it.
    prompt = make.make_prompt(team, "a", "one")
    asked: dict[str, Any] = {"prompt": prompt, "label": "production", "reason": "kinder", "seen_revision": 1}
    second = make.save(prompt, "two")
    review = reviews.request_review(actor=SYSTEM, version=second, **asked)
    reviews.decide(actor=ann, review=review, decision="changes", note="shorter")
    remark = Meanwhile(lambda: reviews.comment(actor=ann, review=review, text="still too long"))
    with transaction.atomic():
        locked(prompt)
        remark.begin()
        newer = reviews.request_review(actor=SYSTEM, version=second, **asked)
    assert isinstance(remark.end(), Conflict) and newer.status == Review.Status.OPEN

    # A partial goes while a version with it is published.
    style = make.make_prompt(team, "style", "brief", kind="partial")
    user = make.make_prompt(team, "user", "{{> style}}", live=None)
    with_style = user.head
    make.save(user, "without")
    publishing = Meanwhile(lambda: make.publish(user, with_style, actor=SYSTEM))
    with transaction.atomic():
        prompts.delete_prompt(actor=SYSTEM, prompt=style)
        publishing.begin()
    assert isinstance(publishing.end(), MissingPartial) and not Label.objects.filter(prompt=user).exists()

    # An import changes many, one of which somebody changes as well.
    last = make.make_prompt(team, "z", "one")
    file = [{"name": name, "version": 1, "prompt": "imported", "labels": ["staging"]} for name in ("a", "z")]
    importing = Meanwhile(lambda: import_langfuse(actor=SYSTEM, team=team, raw=json.dumps(file).encode()))
    with transaction.atomic():
        locked(last)
        importing.begin()
        prompts.change_prompt(actor=SYSTEM, prompt=last, description="changed meanwhile")
    assert [made.ref for made in importing.end().made] == ["a@3", "z@2"]
    assert Prompt.objects.get(slug="z").description == "changed meanwhile"
