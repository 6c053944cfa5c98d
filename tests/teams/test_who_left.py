"""What was somebody's own in a team is not found by them once they have left it, whatever room it is in."""

from typing import Any

from agents_app.access import may_read
from agents_app.services.approvals import why_not_decide
from console.batches.services.batches import create_batch
from console.batches.services.creator import Creator
from console.batches.services.files import upload_file
from console.chat.models import Conversation
from console.core.ids import request_id
from console.teams.callers import Caller
from console.teams.models import Role
from console.teams.rights import rights_of
from console.teams.services.teams import remove_member
from tests import make
from tests.audit.calls import a_call
from tests.conftest import Cast
from tests.make import client_of


def test_it_finds_what_is_one_s_own_only_while_one_belongs_to_its_team(cast: Cast) -> None:
    bob, actor = cast.bob, make.actor_for(cast.bob)
    make.make_member(cast.team_b, bob, Role.MEMBER)  # somewhere they are still let in
    agent = make.make_agent(cast.team_a)
    run = make.make_run(agent, bob)
    question = make.make_approval(run, kind="question", form={"type": "object", "properties": {}})
    talk = Conversation.objects.create(team=cast.team_a, agent=agent, owner=bob, title="Autumn")
    creator = Creator(actor, cast.team_a, "production", person_id=bob.pk)
    file = upload_file(creator=creator, filename="a.jsonl", purpose="batch", content=[b"{}"])
    batch = create_batch(creator=creator, file=file, endpoint="/v1/embeddings")
    answer = a_call(cast.team_a, type="playground", actor_kind="user", actor_id=bob.pk)
    client, rating = client_of(bob), {"rating": "good"}
    pages = [f"/runs/{run.public_id}/", f"/approvals/{question.pk}/", f"/chat/{talk.pk}/", f"/batches/{batch.pk}/"]
    lists = {"/runs/": run.public_id, "/approvals/": question.pk, "/batches/": batch.pk}

    def found() -> list[Any]:
        opened = [client.get(path).status_code for path in pages]
        listed = [str(own) in client.get(path).text for path, own in lists.items()]
        rated = client.put(f"/api/playground/answers/{request_id(answer)}/rating/", rating, "application/json")
        reads = may_read(Caller(actor, user=bob, rights=rights_of(bob)), run)  # whose audit log has it might see it
        return [*opened, *listed, rated.status_code, why_not_decide(actor, question) == "", reads]

    assert found() == [200] * 4 + [True] * 3 + [200, True, True]
    remove_member(actor=make.actor_for(cast.alice), membership=bob.memberships.get(team=cast.team_a))
    assert found() == [404] * 4 + [False] * 3 + [404, False, False]
