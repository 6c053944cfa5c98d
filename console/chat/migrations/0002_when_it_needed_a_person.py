"""When a visitor's conversation first needed a person, kept for good: how often that happens is looked at by month."""

from typing import Any

from django.db import migrations, models
from django.db.models import Min, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce


def note_what_is_known(apps: Any, schema_editor: Any) -> None:
    """Say of older conversations what their messages still say: when a person first answered, or had it."""
    Conversation, Message = apps.get_model("chat", "Conversation"), apps.get_model("chat", "Message")
    said = Message.objects.filter(conversation=OuterRef("pk"), role="person").order_by().values("conversation")
    Conversation.objects.filter(widget__isnull=False).update(
        escalated_at=Coalesce(
            Subquery(said.annotate(first=Min("created_at")).values("first")), "taken_at", "person_wanted_at"
        )
    )


class Migration(migrations.Migration):
    dependencies = [("chat", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="conversation",
            name="escalated_at",
            field=models.DateTimeField(
                blank=True, help_text="When it first needed a person; stays when they give it back.", null=True
            ),
        ),
        migrations.AddIndex(
            model_name="conversation",
            index=models.Index(
                condition=Q(("widget__isnull", False)), fields=["team", "created_at"], name="visits_of_a_team"
            ),
        ),
        migrations.AddIndex(
            model_name="feedback",
            index=models.Index(fields=["given_at"], name="feedback_by_time"),
        ),
        migrations.RunPython(note_what_is_known, migrations.RunPython.noop),
    ]
