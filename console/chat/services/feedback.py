"""Say whether an answer helped."""

from console.chat.errors import CannotSend
from console.chat.models import Feedback, Message
from console.core.clock import now
from console.teams.models import User


def give_feedback(*, person: User, answer: Message, is_good: bool, comment: str = "") -> Feedback:
    """Rate an answer, or change one's mind; the newest word counts."""
    if answer.role == Message.Role.USER or answer.status == Message.Status.WRITING:
        raise CannotSend("Only an answer that is written can be rated.")
    given, _ = Feedback.objects.update_or_create(
        message=answer,
        person=person,
        visitor=None,
        defaults={"is_good": is_good, "comment": comment.strip()[:1000], "given_at": now()},
    )
    return given


def withdraw_feedback(*, person: User, answer: Message) -> None:
    Feedback.objects.filter(message=answer, person=person).delete()
