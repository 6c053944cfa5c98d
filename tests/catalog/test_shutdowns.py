"""A model that goes away says so ahead: once per threshold by mail, on the pages all the time."""

import datetime as dt

import pytest
from django.core import mail

from console.audit.models import AuditEvent
from console.catalog.models import ModelVersion, ShutdownNotice
from console.catalog.services import pins
from console.catalog.services.shutdowns import warn_of_shutdowns
from console.core.clock import now
from console.notices.services.delivery import send_due
from tests.catalog.scene import Scene
from tests.conftest import Cast


def ends_in(version: ModelVersion, days: int) -> None:
    ModelVersion.objects.filter(pk=version.pk).update(shutdown_on=now().date() + dt.timedelta(days=days))


def test_it_mails_operators_once_at_each_threshold(cast: Cast, django_capture_on_commit_callbacks) -> None:
    scene = Scene(cast.operator)
    scene.change(pins.SetFallbacks((pins.Step(scene.spare),)))
    ModelVersion.objects.filter(pk=scene.spare.pk).update(successor=scene.new)

    def look(days: int) -> list[str]:
        ends_in(scene.spare, days)
        mail.outbox.clear()
        with django_capture_on_commit_callbacks(execute=True):
            warn_of_shutdowns()
        send_due()
        return [message.subject for message in mail.outbox]

    assert look(31) == []
    assert look(30) == ["fake/spare-3 is shut down in 30 days"]
    body = mail.outbox[0].body
    assert mail.outbox[0].to == ["olga@example.com"]
    assert "support-chat@production (fallback)" in body and "Its successor is fake/new-2." in body
    assert "&" not in body
    with django_capture_on_commit_callbacks(execute=True):
        assert warn_of_shutdowns() == 0
    assert look(1) == ["fake/spare-3 is shut down tomorrow"]
    assert AuditEvent.objects.filter(action="shutdown.announced").count() == 2


@pytest.mark.django_db
def test_it_says_nothing_of_what_is_retired_or_over(cast: Cast) -> None:
    scene = Scene(cast.operator)
    ends_in(scene.spare, 5)
    ModelVersion.objects.filter(pk=scene.spare.pk).update(retired_at=now())
    ends_in(scene.new, -1)
    assert warn_of_shutdowns() == 0
    assert not ShutdownNotice.objects.exists()
