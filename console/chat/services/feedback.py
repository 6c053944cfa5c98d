"""Rate an answer; its audit record gets the rating as well."""

from django.db import transaction

from console.audit.services.ratings import MOST_COMMENT, Rater, Word, is_answer, say
from console.audit.sql import search
from console.chat.errors import CannotSend
from console.chat.models import Feedback, Message, Visitor
from console.core.clock import now
from console.teams.models import User


@transaction.atomic
def give_feedback(*, person: User, answer: Message, is_good: bool, comment: str = "") -> Feedback:
    """Rate an answer, or change one's mind; the newest word counts."""
    check_is_written(answer)
    comment = comment.strip()[:MOST_COMMENT]
    given, _ = Feedback.objects.update_or_create(
        message=answer,
        person=person,
        visitor=None,
        defaults={"is_good": is_good, "comment": comment, "given_at": now()},
    )
    say_of_call(person, answer, Word(is_good, comment=comment))
    return given


@transaction.atomic
def withdraw_feedback(*, person: User, answer: Message) -> None:
    Feedback.objects.filter(message=answer, person=person).delete()
    say_of_call(person, answer, None)


def check_is_written(answer: Message) -> None:
    if answer.role == Message.Role.USER or answer.status == Message.Status.WRITING:
        raise CannotSend("Only an answer that is written can be rated.")


def say_of_call(who: User | Visitor, answer: Message, word: Word | None) -> None:
    """Keep a person's or a visitor's word on the call that gave an answer; a person of the team answers without one."""
    event = search.get(answer.request_id) if answer.request_id else None
    if event is not None and is_answer(event):
        rater = Rater("user" if isinstance(who, User) else "visitor", who.pk, str(who))
        say(rater=rater, event=event, word=word)
