"""Trying a channel out, outside of any transaction."""

from django.db import connection

from console.notices.sending.outcome import ACCEPTED
from console.notices.services import channel_tests
from console.teams.actors import SYSTEM
from tests import make


def test_a_test_holds_no_connection_while_the_other_side_takes_its_time(committed_db: None, monkeypatch) -> None:
    held = []

    def post(posts):
        held.append(connection.connection)
        return [ACCEPTED]

    monkeypatch.setattr(channel_tests.http, "post", post)
    channel = make.make_channel(None, "slack", url="https://hooks.example.com/T/1")
    assert channel_tests.try_channel(actor=SYSTEM, channel=channel).is_accepted and held == [None]
    channel.refresh_from_db()
    assert channel.delivered_at is not None
