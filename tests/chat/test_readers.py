"""Many readers of answers: what is asked once for all of them says the same as asking for each."""

import asyncio
import datetime as dt
import json
import uuid
from collections.abc import Callable

import pytest
from django.contrib.sessions.models import Session

from console.chat import access
from console.chat import readers as readers_module
from console.chat.models import Conversation, Message
from console.chat.readers import Readers
from console.chat.stream import words
from console.core.clock import now
from console.core.connections import in_thread
from console.teams.callers import Caller
from console.teams.models import Role, Team, User
from console.teams.rights import must_set_up_two_factor, rights_of
from tests import make
from tests.conftest import Cast
from tests.e2e.conftest import session_of
from tests.waiting import until_async


def _present(user: User) -> Caller | None:
    user.refresh_from_db()
    if not user.is_active or must_set_up_two_factor(user):
        return None
    rights = {} if user.is_operator else rights_of(user)
    return Caller(actor=None, user=user, is_operator=user.is_operator, rights=rights)  # type: ignore[arg-type]


def test_it_lets_read_on_whom_the_page_would_let_in(cast: Cast) -> None:
    agent = make.make_agent(cast.team_a)
    kept = {"team": cast.team_a, "agent": agent, "owner": cast.alice}
    widget = make.make_widget(cast.team_a, agent)
    made = [
        Conversation.objects.create(**kept),
        Conversation.objects.create(**kept, shared_at=now()),
        Conversation.objects.create(**kept, shared_at=now(), deleted_at=now()),
        Conversation.objects.create(**kept | {"team": cast.team_b}),
        Conversation.objects.create(**kept | {"team": cast.team_b, "owner": cast.charlie}, shared_at=now()),
        Conversation.objects.create(**kept | {"owner": cast.bob}),
        make.make_visit(widget, "Hello"),
    ]
    people = (cast.alice, cast.bob, cast.charlie, cast.operator)
    pairs = {(person.pk, one.pk) for person in people for one in made}

    def check(least: int) -> None:
        expected = set()
        for person in people:
            caller = _present(person)
            found = access.conversations_for(caller) if caller else Conversation.objects.none()
            expected |= {(person.pk, one.pk) for one in found.filter(pk__in=[one.pk for one in made])}
        assert access.who_may_read(pairs) == expected and len(expected) >= least

    check(5)
    make.make_member(cast.team_b, cast.bob, Role.MEMBER)
    check(6)
    User.objects.filter(pk=cast.bob.pk).update(is_active=False)
    check(4)
    Team.objects.filter(pk=cast.team_a.pk).update(requires_two_factor=True)
    check(2)
    Team.objects.filter(pk=cast.team_a.pk).update(archived_at=now(), requires_two_factor=False)
    check(1)
    assert access.who_may_read({(uuid.uuid4(), made[0].pk), (cast.alice.pk, uuid.uuid4())}) == set()


@pytest.mark.usefixtures("committed_db")
def test_it_follows_what_other_processes_write_and_ends_with_it_or_with_the_right_or_the_session_to_read_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One task asks for all: the words by their rows, and the readers by theirs."""
    monkeypatch.setattr(readers_module, "_ROWS_SECONDS", 0.05)
    monkeypatch.setattr(readers_module, "RIGHTS_SECONDS", 0.05)
    team = make.make_team()
    ada = make.make_member(team, make.make_user("ada@example.com"))
    conversation = Conversation.objects.create(team=team, agent=make.make_agent(team), owner=ada)
    lease = now() + dt.timedelta(minutes=1)
    answers = [
        Message.objects.create(conversation=conversation, role="assistant", status="writing", lease_until=lease)
        for _ in range(5)
    ]
    ended, stopped, lost, signed_out, _ = answers
    here, elsewhere = session_of(ada), session_of(ada)
    sessions = dict.fromkeys([one.pk for one in answers], here) | {signed_out.pk: elsewhere}
    heard: dict[uuid.UUID, str] = {}

    async def read(readers: Readers, answer: Message) -> bool:
        async with readers.reading(answer.pk, conversation.pk, ada.pk, sessions[answer.pk]) as reader:
            async for grown in words(reader, 30):
                if not reader.may_read:
                    return False
                if grown:
                    heard[answer.pk] = json.dumps(grown)
        return True

    async def change(work: Callable[[], object], said: Callable[[], bool] = lambda: True) -> None:
        await in_thread(work)
        await until_async(said, "the readers heard of the change")

    def update(answer: Message, **fields: object) -> Callable[[], object]:
        return lambda: Message.objects.filter(pk=answer.pk).update(**fields)

    async def play() -> None:
        readers = Readers()
        tasks = [asyncio.create_task(read(readers, answer)) for answer in answers]
        for answer in answers:
            await change(update(answer, text="One"), lambda answer=answer: "One" in heard.get(answer.pk, ""))  # type: ignore[misc]
        await change(update(ended, text="One two", status="done"), tasks[0].done)
        await change(update(stopped, status="stopped"), tasks[1].done)
        await change(update(lost, lease_until=now()), tasks[2].done)
        assert not tasks[3].done()
        await change(lambda: Session.objects.filter(pk=elsewhere).delete(), tasks[3].done)
        assert not tasks[4].done()
        await change(lambda: User.objects.filter(pk=ada.pk).update(is_active=False), tasks[4].done)
        assert [task.result() for task in tasks] == [True, True, True, False, False]
        assert "One two" in heard[ended.pk]

    asyncio.run(play())


def test_a_crowd_takes_turns_and_one_alone_waits_for_nobody() -> None:
    readers = Readers()
    assert readers.pause() == pytest.approx(readers_module._SECONDS_A_FRAME)
    for _ in range(1_000):
        readers.pause()
    assert readers.pause() > 500 * readers_module._SECONDS_A_FRAME
