"""Channels of alerts in a configuration file: made, compared, changed, and written without their addresses."""

import base64
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from console.audit.models import AuditEvent
from console.core.crypto import decrypt
from console.notices.kinds import NoticeKind
from console.notices.models import Channel
from tests.configuration.conftest import exported

pytestmark = pytest.mark.django_db
FILE = """\
teams:
  - {slug: support}
channels:
  - {name: "#platform", kind: slack, url: {value: "https://hooks.example.com/T/t0psecret"}}
  - {name: On duty, team: support, kind: email, addresses: [a@example.com], wants: [drift, quota]}
  - {name: Bridge, team: support, kind: webhook, url: {value: "https://b.example.com/t0psecret"}, is_active: false}
"""


def test_it_sets_up_changes_and_exports_channels(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    said = run(FILE)
    platform, duty, bridge = (Channel.objects.get(name=name) for name in ("#platform", "On duty", "Bridge"))
    assert platform.team is None and platform.wants == NoticeKind.values and platform.is_active
    assert (duty.wants, duty.addresses, duty.team.slug) == (["quota", "drift"], ["a@example.com"], "support")
    assert not bridge.is_active and decrypt(bridge.secret) in said and "t0psecret" not in said
    assert "0 to create, 0 to change, 4 unchanged" in run(FILE)
    said = run(FILE.replace("[drift, quota]", "[approval]").replace("/T/t0p", "/T/another-t0p"))
    assert "wants: quota, drift → approval" in said and "url: set → set anew" in said and "2 to change" in said
    assert decrypt(Channel.objects.get(name="#platform").url).endswith("another-t0psecret")

    written = exported()
    assert "t0psecret" not in written
    monkeypatch.setenv("_PLATFORM_SECRET", "https://hooks.example.com/T/another-t0psecret")
    monkeypatch.setenv("SUPPORT_BRIDGE_SECRET", "https://b.example.com/t0psecret")
    monkeypatch.setenv("SUPPORT_BRIDGE_SIGNING_SECRET", decrypt(bridge.secret))
    assert "0 to create, 0 to change" in run(written)
    # A webhook is signed with what the file says, also at another host; what is not a key is refused.
    given = "whsec_" + base64.b64encode(b"f" * 32).decode()
    signed = FILE.replace("b.example.com/", "c.example.com/").replace(
        "is_active", f'secret: {{value: "{given}"}}, is_active'
    )
    said = run(signed)
    assert "secret: set → set anew" in said and "shown this once" not in said and given not in said
    assert decrypt(Channel.objects.get(name="Bridge").secret) == given
    last = AuditEvent.objects.filter(action="channel.changed").latest("id")
    assert '"secret": "set anew"' in last.detail and given not in last.detail
    assert "0 to create, 0 to change" in run(signed)
    with pytest.raises(CommandError, match=r"channels\[2\]\.secret: Write whsec_ and 24 to 64 random bytes"):
        run(signed.replace(given, "whsec_short"))
    with pytest.raises(CommandError, match=r"channels\[0\]\.secret: Only webhooks are signed"):
        run(FILE.replace("kind: slack,", f'kind: slack, secret: {{value: "{given}"}},'))
    # A channel of the installation may be called as one of a team is written: neither is the other.
    like = 'channels:\n  - {name: support/Bridge, kind: slack, url: {value: "https://a.example.com/t0psecret"}}\n'
    assert "+ channel   support/Bridge" in run(like) and Channel.objects.get(name="Bridge").kind == "webhook"
    assert "1 unchanged" in run(like) and "0 to create, 0 to change" in run(signed)
    # Both may stand in one file: an export names another variable for each secret, and is taken as what is there.
    out = StringIO()
    call_command("export", stdout=out)
    assert out.getvalue().count("SUPPORT_BRIDGE_SECRET\n") == 1 and "SUPPORT_BRIDGE_SECRET_2" in out.getvalue()
    monkeypatch.setenv("_PLATFORM_SECRET", "https://hooks.example.com/T/t0psecret")
    monkeypatch.setenv("SUPPORT_BRIDGE_SECRET", "https://c.example.com/t0psecret")
    monkeypatch.setenv("SUPPORT_BRIDGE_SECRET_2", "https://a.example.com/t0psecret")
    monkeypatch.setenv("SUPPORT_BRIDGE_SIGNING_SECRET", given)
    assert "0 to create, 0 to change" in run(out.getvalue())
    with pytest.raises(CommandError, match="channel of the installation support/Bridge is in this file twice"):
        run(f"{like}{like.splitlines()[1]}\n")
    for wrong, sentence in (
        ("wants: [shutdown]", "cannot be told of shutdown"),
        ("addresses: [nobody]", "is not an e-mail address"),
        ("team: sales", "There is no team 'sales'"),
    ):
        line = "channels:\n  - {name: Other, kind: email, addresses: [a@example.com], team: support, wants: [quota]}\n"
        field = wrong.partition(":")[0]
        start = line.index(f"{field}: ")
        end = line.index("]", start) + 1 if "[" in wrong else line.index(",", start)
        with pytest.raises(CommandError, match=sentence):
            run(line[:start] + wrong + line[end:])
