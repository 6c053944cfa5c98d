"""The connected repository: where it may be, and what a sync does with it."""

import datetime as dt
import stat
import sys
import zlib
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from django.test import Client

from console.audit.models import AuditEvent
from console.core.clock import now
from console.core.errors import BadInput, Conflict, ProviderError
from console.outbound.ssh import BoundedAnswer
from console.teams.callers import SYSTEM
from prompts_app.git import remotes, sync
from prompts_app.git.address import check_address
from prompts_app.git.exports import WrittenVersions
from prompts_app.git.models import GitCommit, GitRemote, GitSync
from prompts_app.git.packs import LARGEST_OBJECT, check_pack
from prompts_app.git.report import Imported
from prompts_app.services.labels import publish
from tests.conftest import Cast
from tests.prompts.git.git import GitServer, git, git_server, head, save


@pytest.fixture
def host(tmp_path: Path, settings: object) -> object:
    """A git host with one empty repository, which the settings allow."""
    settings.DATA_DIR = tmp_path / "data"  # type: ignore[attr-defined]
    (tmp_path / "host").mkdir()
    git(tmp_path / "host", "init", "-q", "--bare", "prompts.git")
    git(tmp_path / "host/prompts.git", "config", "http.receivepack", "true")
    with git_server(tmp_path / "host") as server:
        settings.PROMPTS_GIT_HOSTS = [server.origin]  # type: ignore[attr-defined]
        yield server


def test_it_speaks_http_with_the_real_git(library: Cast, host: GitServer, tmp_path: Path) -> None:
    host.password = "s3cret"
    url = f"{host.origin}/prompts.git"
    remotes.connect(actor=SYSTEM, address=url)
    assert sync.check(actor=SYSTEM) == (False, "The git host asks for a credential, and none is set.")
    remotes.change(actor=SYSTEM, credential="wrong")
    assert sync.check(actor=SYSTEM) == (False, "The git host refused the credential.")
    remotes.change(actor=SYSTEM, credential="s3cret")
    assert (
        sync.check(actor=SYSTEM)[1] == "The repository answers; it has no branch main yet, so the first sync begins it."
    )
    done = sync.sync()
    assert (done.outcome, done.exported, done.labels) == ("ok", 5, 1)
    bare = tmp_path / "host/prompts.git"
    git(bare, "fsck", "--strict")
    git(tmp_path, "clone", "-q", str(bare), "clone")
    file = tmp_path / "clone/support/answer.md"
    file.write_text(file.read_text().replace("Answer well.", "Answer by git."))
    git(tmp_path / "clone", "commit", "-qam", "By git")
    git(tmp_path / "clone", "push", "-q")
    save("style", "Be very brief.", "Briefer")
    done = sync.sync(actor=SYSTEM)
    assert (done.outcome, done.imported, done.exported, done.sentence) == ("ok", 1, 1, "")
    assert head("support/answer").head.author_name == "Ann Author"
    packs = (tmp_path / "data/git").glob("*.git/objects/pack/*.pack")
    large = [pack for pack in packs if int.from_bytes(pack.read_bytes()[8:12]) > 6]  # by their objects
    assert len(large) == 1, "what was written at first; what was fetched is not all of it again"
    git(tmp_path / "clone", "pull", "-q")
    assert "Be very brief." in (tmp_path / "clone/style.md").read_text()
    # A label moves its tag; the mirror can be lost, or damaged; a sync with nothing to do leaves one line behind.
    answer = head("support/answer")
    publish(actor=SYSTEM, prompt=answer, version=answer.head, label="production", reason="r", seen_revision=1)
    for path in (tmp_path / "data/git").rglob("*"):
        path.chmod(stat.S_IRWXU)
    (tmp_path / "data/git").rename(tmp_path / "lost")
    assert sync.sync().labels == 1
    shown = git(bare, "show", "support/answer@production:support/answer.md")
    assert shown.endswith("Answer by git.\n")
    for broken in ("objects/pack/*.pack", "objects/pack/*.idx", "config", "HEAD"):
        file.write_text(file.read_text().replace("by git", f"by git after {Path(broken).stem}"))
        git(tmp_path / "clone", "commit", "-qam", "Again")
        git(tmp_path / "clone", "push", "-q")
        found = list((tmp_path / "data/git").glob(f"*.git/{broken}"))
        assert found
        for path in found:
            path.chmod(stat.S_IRWXU)
            path.write_bytes(b"rubbish")
        assert sync.sync().imported == 1, broken
    assert [sync.sync().exported for _ in range(3)] == [0, 0, 0]
    assert GitSync.objects.count() == 8
    lines = AuditEvent.objects.filter(action__startswith="git.")
    assert {line.action for line in lines} == {"git.connected", "git.changed", "git.tested", "git.synced"}
    assert not any("s3cret" in str(line.__dict__) for line in lines)


def test_it_says_that_it_cannot_speak_sha256(library: Cast, host: GitServer, tmp_path: Path) -> None:
    git(tmp_path / "host", "init", "-q", "--bare", "--object-format=sha256", "new.git")
    git(tmp_path, "init", "-q", "--object-format=sha256", "begun")
    git(tmp_path / "begun", "commit", "-q", "--allow-empty", "-m", "Begin")
    git(tmp_path / "begun", "push", "-q", str(tmp_path / "host/new.git"), "HEAD:main")
    remotes.connect(actor=SYSTEM, address=f"{host.origin}/new.git")
    is_ok, said = sync.check(actor=SYSTEM)
    assert not is_ok and "by SHA-256" in said and sync.sync().sentence == said


def test_it_leaves_conflicts_alone_on_both_sides(
    library: Cast, host: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remotes.connect(actor=SYSTEM, address=f"{host.origin}/prompts.git", syncs_on_publish=False)
    sync.sync()
    bare = tmp_path / "host/prompts.git"
    git(tmp_path, "clone", "-q", str(bare), "clone")
    clone = tmp_path / "clone"
    for name in ("support/answer.md", "style.md"):
        (clone / name).write_text((clone / name).read_text().replace("Answer well.", "G.").replace("Be brief.", "G!"))
    git(clone, "rm", "-q", "support/chat.md")
    git(clone, "commit", "-qam", "By git")
    git(clone, "push", "-q")
    save("support/answer", "By the console.")
    done = sync.sync()
    assert (done.outcome, done.imported, done.exported, done.tip) == ("conflicts", 1, 0, "")
    assert {c["slug"]: c["kind"] for c in done.conflicts} == {"support/answer": "edited", "support/chat": "removed"}
    assert sync.sync().imported == 0
    done = sync.sync(take=["support/answer"], keep=["support/chat"])
    assert (done.outcome, done.imported, done.conflicts) == ("ok", 1, [])
    git(clone, "pull", "-q")
    assert (clone / "support/chat.md").exists() and head("support/answer").head.content[0]["text"] == "G."
    assert GitCommit.objects.filter(origin="kept").count() == 1

    # Somebody pushes while a sync is at it: theirs stays, and the next sync is asked for at once.
    save("style", "Be quick.")
    write = sync.write_commits

    def push_meanwhile(*given: Any, **also: Any) -> WrittenVersions:
        git(clone, "commit", "-q", "--allow-empty", "-m", "Meanwhile")
        git(clone, "push", "-q")
        return write(*given, **also)

    monkeypatch.setattr(sync, "write_commits", push_meanwhile)
    assert "within a minute" in sync.sync().sentence
    monkeypatch.setattr(sync, "write_commits", write)
    done = sync.tick()
    assert done is not None and (done.outcome, done.exported) == ("ok", 1)
    assert sync.tick() is None
    # What a clock wrote down that was days ahead, and was put right, holds nothing up.
    ahead = now() + dt.timedelta(days=3)
    GitSync.objects.update(started_at=ahead)
    GitRemote.objects.update(every_minutes=15, claimed_at=ahead)
    assert sync.tick() is not None
    assert sync.tick() is None


def refuse_pushes(bare: Path, *words: str) -> None:
    """Have the git host say these words to every push, and refuse it."""
    hook = bare / "hooks/pre-receive"
    hook.parent.mkdir(exist_ok=True)
    said = "".join(f"printf '%b' '{word}' >&2\n" for word in words)
    hook.write_text(f"#!/bin/sh\n{said}exit 1\n")
    hook.chmod(0o755)


def test_it_shows_what_a_hook_of_the_git_host_says(
    library: Cast, host: GitServer, tmp_path: Path, client: Client
) -> None:
    remotes.connect(actor=SYSTEM, address=f"{host.origin}/prompts.git", credential="of-no-known-shape")
    bare, secret = tmp_path / "host/prompts.git", "ghp_" + "a" * 36
    refuse_pushes(
        bare,
        "Commits name a ticket, as <b>ABC-17</b>.\\n",
        "Checking: 100% (3/3)\\r\\n",
        "\\033[31mred\\033[0m \\342\\200\\256 word\\n",
        f"token {secret}, password of-no-known-shape\\n",
        "long " * 2_000,
    )
    done = sync.sync()
    assert (done.outcome, done.exported) == ("failed", 0)
    assert done.sentence == "The git host refused to move refs/heads/main: pre-receive hook declined."
    first, second, third, last = done.problems
    assert first == "Commits name a ticket, as <b>ABC-17</b>." and "red" in second and "\x1b" not in second
    assert third == "token [redacted], password [redacted]" and len(last) == 300
    client.force_login(library.operator)
    page = client.get("/prompts/git/").text
    assert "What the git host says" in page and "as &lt;b&gt;ABC-17&lt;/b&gt;." in page and "\u202e" not in page
    (bare / "hooks/pre-receive").unlink()
    assert (sync.sync().outcome, sync.sync().problems) == ("ok", [])


def test_it_refuses_files_outside_the_schema_as_a_whole(library: Cast, host: GitServer, tmp_path: Path) -> None:
    remotes.connect(actor=SYSTEM, address=f"{host.origin}/prompts.git")
    sync.sync()
    git(tmp_path, "clone", "-q", str(tmp_path / "host/prompts.git"), "clone")
    (tmp_path / "clone/keys.md").write_text("---\ncode: x\n---\n")
    git(tmp_path / "clone", "add", ".")
    git(tmp_path / "clone", "commit", "-qm", "Wrong")
    git(tmp_path / "clone", "push", "-q")
    save("style", "Longer.")
    done = sync.sync()
    assert (done.outcome, done.exported) == ("refused", 0)
    assert done.problems[0].startswith("keys.md:2: 'code' is not a key here")


def test_it_measures_what_it_fetches(library: Cast, host: GitServer, tmp_path: Path) -> None:
    """A blob of zeros is a thousandth of its size on the way; it is refused before it is unpacked."""
    remotes.connect(actor=SYSTEM, address=f"{host.origin}/prompts.git")
    sync.sync()
    git(tmp_path, "clone", "-q", str(tmp_path / "host/prompts.git"), "clone")
    (tmp_path / "clone/huge.md").write_bytes(b"\0" * (LARGEST_OBJECT + 1))
    git(tmp_path / "clone", "add", ".")
    git(tmp_path / "clone", "commit", "-qm", "Huge")
    git(tmp_path / "clone", "push", "-q")
    done = sync.sync()
    assert done.outcome == "failed" and f"an object of {LARGEST_OBJECT + 1:,} bytes" in done.sentence
    assert sum(path.stat().st_size for path in (tmp_path / "data/git").rglob("*") if path.is_file()) < 1_000_000


def _pack(*objects: bytes) -> bytes:
    return b"PACK" + (2).to_bytes(4, "big") + len(objects).to_bytes(4, "big") + b"".join(objects)


def _object(kind: int, size: int, body: bytes, base: bytes = b"") -> bytes:
    head = [(kind << 4 | size & 15) | (128 if size > 15 else 0)]
    size >>= 4
    while size:
        head.append(size & 127 | (128 if size > 127 else 0))
        size >>= 7
    return bytes(head) + base + zlib.compress(body)


@pytest.mark.parametrize(
    ("pack", "said"),
    [
        (_pack(_object(3, 1 << 40, b"x")), "object of 1,099,511,627,776 bytes"),
        (_pack(_object(3, 5, b"\0" * (LARGEST_OBJECT + 9))), "an object of 33,5"),  # it says less than it is
        (_pack(_object(7, 12, b"\x05" + b"\x80" * 5 + b"\x01" + b"\0" * 5, b"s" * 20)), "an object of 34,359,738,368"),
        (_pack(_object(6, 12, b"\x80" * 5 + b"\x01\x05" + b"\0" * 5, b"\x81\x01")), "an object of 34,359,738,368"),
        (_pack(_object(3, 5, b"fine"))[:-3], "ends too early"),
        (_pack()[:8] + b"\xff" * 4, "ends too early"),
        (_pack(b"\x35not zlib at all"), "cannot be read"),
        (_pack(b"\xb5" + b"\xff" * 11 + b"\x01"), "cannot be read"),  # a number that does not end in time
        (_pack(_object(6, 12, b"\x05" + b"\x80" * 5 + b"\x01", b"\xff" * 11 + b"\x01")), "cannot be read"),
    ],
)
def test_it_refuses_packs_that_are_more_than_they_look(pack: bytes, said: str) -> None:
    with pytest.raises(ProviderError, match=said):
        check_pack(pack)
    check_pack(_pack(_object(3, 4, b"fine"), _object(7, 4, b"\x04\x04ab", b"s" * 20)))


def test_it_reads_no_more_over_ssh_than_over_https(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.outbound.ssh.LARGEST", 10_000)
    endless = [sys.executable, "-c", "while True: print('x' * 99)"]
    for size in (4, -1):
        with Popen(endless, stdin=PIPE, stdout=PIPE, stderr=PIPE) as program:
            answer, got = BoundedAnswer(program), 0
            with pytest.raises(ProviderError, match="larger than 64 MiB"):
                while True:
                    got += len(answer.read(size))
            assert got <= 10_000 and program.wait(60)


def test_it_stays_where_it_was_told(library: Cast, host: GitServer, settings: object) -> None:
    """No redirect is followed, no address outside the settings or the guard is connected."""
    remotes.connect(actor=SYSTEM, address=f"{host.origin}/prompts.git", credential="token")
    host.redirect = "http://127.0.0.1:9/elsewhere"
    assert sync.sync().sentence == "The address leads elsewhere; connect the address it leads to."
    host.redirect, host.seen = "", []
    settings.PRIVATE_NETWORKS_ALLOWED = []  # type: ignore[attr-defined]
    refused = sync.sync().sentence
    assert "not one this installation may call" in refused and "PRIVATE_NETWORKS_ALLOWED" in refused
    settings.PROMPTS_GIT_HOSTS = []  # type: ignore[attr-defined]
    assert "are not allowed here" in sync.sync().sentence
    assert host.seen == []


ELSEWHERE = [
    "https://evil.example/x.git",
    "https://git.example.com:444/x.git",
    "http://git.example.com/x.git",
    "ssh://git@git.example.com/x.git",
    "git@git.example.com:x.git",
    "git://git.example.com/x.git",
    "ext::sh -c id",
    "https://user:pw@git.example.com/x.git",
    "https://git.example.com/a/../../x.git",
    "https://git.example.com/x.git?upload-pack=sh",
    "https://git.example.com@evil.example/x.git",
    "ssh://-oProxyCommand=id@two.example.com/x.git",
    "ssh://git@two.example.com/x';id;'.git",
    "git@two.example.com:-x.git",
    "git@two.example.com:../x.git",
    "git@two.example.com:a/../../x.git",
    "ssh://git@two.example.com/-x.git",
    "file:///etc",
    "/etc/prompts",
    "/srv/git",
    "/srv/git/../../etc/x",
    "",
]


@pytest.mark.parametrize("text", ELSEWHERE)
def test_it_refuses_addresses_outside_the_settings(settings: object, text: str) -> None:
    settings.PROMPTS_GIT_HOSTS = ["git.example.com", "ssh://two.example.com"]  # type: ignore[attr-defined]
    settings.PROMPTS_GIT_FOLDERS = ["/srv/git"]  # type: ignore[attr-defined]
    with pytest.raises(BadInput):
        check_address(text)
    assert check_address("https://git.example.com/team/x.git").url == "https://git.example.com/team/x.git"
    for path in ("team/x.git", "/srv/git/x.git", "~git/x.git"):  # git takes all three, the first from the user's home
        assert check_address(f"git@two.example.com:{path}").path == path
    assert check_address("ssh://git@two.example.com/team/x.git").path == "/team/x.git"
    assert check_address("/srv/git/prompts").is_folder


def test_another_host_takes_the_credential_away(db: None, settings: object) -> None:
    settings.PROMPTS_GIT_HOSTS = ["a.example.com", "b.example.com"]  # type: ignore[attr-defined]
    remotes.connect(actor=SYSTEM, address="https://a.example.com/x.git", credential="token")
    assert remotes.change(actor=SYSTEM, address="https://a.example.com/y.git").has_credential
    assert not remotes.change(actor=SYSTEM, address="https://b.example.com/y.git").has_credential
    with pytest.raises(Conflict, match="already"):
        remotes.connect(actor=SYSTEM, address="https://a.example.com/x.git")
    with pytest.raises(BadInput, match="branch"):
        remotes.change(actor=SYSTEM, branch="-x")
    remotes.disconnect(actor=SYSTEM)
    assert sync.sync() is None


def test_it_works_in_a_folder_of_this_machine(library: Cast, settings: object, tmp_path: Path) -> None:
    settings.PROMPTS_GIT_FOLDERS = [str(tmp_path)]  # type: ignore[attr-defined]
    remotes.connect(actor=SYSTEM, address=str(tmp_path / "here"))
    assert sync.check(actor=SYSTEM)[0] and sync.sync().exported == 5
    assert git(tmp_path / "here", "status", "--porcelain") == ""
    (tmp_path / "away").mkdir()
    git(tmp_path / "away", "init", "-q")
    (tmp_path / "trick").mkdir()
    (tmp_path / "trick/.git").write_text(f"gitdir: {tmp_path}/away/.git\n")
    remotes.change(actor=SYSTEM, address=str(tmp_path / "trick"))
    assert "keeps its files in another folder" in sync.sync().sentence


def test_a_save_wakes_one_sync_and_an_import_none(
    library: Cast, settings: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.PROMPTS_GIT_FOLDERS = [str(tmp_path)]  # type: ignore[attr-defined]
    remotes.connect(actor=SYSTEM, address=str(tmp_path / "here"))
    assert sync.tick() is None
    save("style", "Be.")
    assert GitRemote.objects.get().wanted_at is not None
    assert sync.tick().exported == 6 and sync.tick() is None
    file = tmp_path / "here/style.md"
    file.write_text(file.read_text().replace("Be.", "Be!"))
    git(tmp_path / "here", "commit", "-qam", "!")
    remotes.change(actor=SYSTEM, every_minutes=5)
    assert sync.tick() is None
    GitSync.objects.update(started_at="2026-01-01T00:00:00Z")
    assert sync.tick().imported == 1
    assert GitRemote.objects.get().wanted_at is None
    # A worker that died holds its claim for a while; the next one says so in the list.
    died = GitSync.objects.create(kind="sync", source="x", actor_name="Facet")
    GitRemote.objects.update(claimed_at=now())
    assert sync.sync() is None
    GitRemote.objects.update(claimed_at=now() - dt.timedelta(minutes=16))
    assert sync.sync().outcome == "ok"
    died.refresh_from_db()
    assert died.outcome == "failed"
    # One that is only slow leaves the claim of whoever came after it alone.
    later = now() + dt.timedelta(minutes=16)
    came = Imported(), WrittenVersions(None), 0
    monkeypatch.setattr(sync, "_exchange", lambda *_: GitRemote.objects.update(claimed_at=later) and came)
    assert sync.sync().outcome == "ok" and GitRemote.objects.get().claimed_at == later


def test_it_speaks_ssh_through_the_systems_program(
    library: Cast, settings: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stand-in for `ssh` notes what it was told and runs the command here, as the other side would."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin/ssh"
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {tmp_path}/told\nfor last; do :; done\nexec sh -c "$last"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: [(2, 1, 6, "", ("127.0.0.1", 22))])
    settings.DATA_DIR = tmp_path / "data"  # type: ignore[attr-defined]
    settings.PROMPTS_GIT_HOSTS = ["ssh://git.example.com"]  # type: ignore[attr-defined]
    git(tmp_path, "init", "-q", "--bare", "prompts.git")
    key = "-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n-----END OPENSSH PRIVATE KEY-----"
    address = f"ssh://git@git.example.com{tmp_path}/prompts.git"
    locked = Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
    )
    for wrong, said in (("ssh-ed25519 AAAAC3Nza", "whole private key"), (locked.decode(), "has a passphrase")):
        with pytest.raises(BadInput, match=said) as refused:
            remotes.connect(actor=SYSTEM, address=address, credential=wrong)
        assert refused.value.param == "credential"
    remotes.connect(actor=SYSTEM, address=address, credential=key)
    assert "public key first" in sync.sync().sentence
    remotes.change(actor=SYSTEM, host_key="git.example.com ssh-ed25519 AAAAC3Nza comment")
    done = sync.sync()
    assert (done.outcome, done.exported) == ("ok", 5), done.sentence
    told = (tmp_path / "told").read_text()
    for words in (
        "HostName=127.0.0.1",
        "StrictHostKeyChecking=yes",
        "-F\n/dev/null",
        "ProxyCommand=none",
        "-l\ngit\n--\n",
    ):
        assert words in told
    assert "support/answer.md" in git(tmp_path / "prompts.git", "ls-tree", "-r", "--name-only", "main")
    refuse_pushes(tmp_path / "prompts.git", "Not today.\\n")
    save("style", "Be quick.")
    assert sync.sync().problems == ["Not today."]
    banner = "WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! " * 9
    for words, said in (
        (f"{banner}Host key verification failed.", "has another key than the one given here"),
        ('Load key "/tmp/facet-git-x/key": error in libcrypto git: Permission denied (publickey).', "cannot be read"),
        ("git@127.0.0.1: Permission denied (publickey).", "refused the credential"),
    ):
        program.write_text(f"#!/bin/sh\necho '{words}' >&2\nexit 255\n")
        assert said in (told := sync.sync().sentence) and "/tmp" not in told
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: [(2, 1, 6, "", ("10.0.0.1", 22))])
    assert "not one this installation may call" in sync.sync().sentence
