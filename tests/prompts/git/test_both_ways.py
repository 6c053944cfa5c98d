"""Out with `export`, through the real git, and back with `import`."""

from contextlib import closing
from pathlib import Path

import pytest
from django.core.management import CommandError
from dulwich.objects import Blob, Commit, Tree
from dulwich.repo import Repo

from console.teams.callers import SYSTEM
from prompts_app.models import GitSync, Prompt
from prompts_app.services.labels import publish
from prompts_app.services.prompts import change_prompt, create_prompt, delete_prompt
from tests.conftest import Cast
from tests.prompts.git.git import git, head, run, save


def test_it_exports_a_repository_git_reads(library: Cast, tmp_path: Path) -> None:
    assert run("export", str(tmp_path / "out")) == "Wrote 5 commits and moved 1 label.\n"
    git(tmp_path, "clone", "-q", "out", "clone")
    clone = tmp_path / "clone"
    git(clone, "fsck", "--strict")
    assert git(clone, "status", "--porcelain") == git(tmp_path / "out", "status", "--porcelain") == ""
    log = git(clone, "log", "--reverse", "--format=%an|%s|%b").split("\n")
    assert [line for line in log if line][:3] == [
        "Facet|Begin the library of prompts|", "Facet|Save style|Prompt: style@1", "Facet|Begin|Prompt: support/chat@1",
    ]  # fmt: skip
    assert (clone / "support/answer.md").read_text().endswith("---\nAnswer well.\n")
    assert git(clone, "show", "support/answer@production:support/answer.md").endswith("---\nAnswer.\n\n")


def test_it_appends_and_always_writes_the_same(library: Cast, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run("export", str(out))
    first = git(out, "rev-parse", "HEAD").strip()
    assert run("export", str(out)) == "Wrote 0 commits and moved 0 labels.\n"
    assert git(out, "rev-parse", "HEAD").strip() == first
    prompt = save("support/answer", "Answer better.", "Better")
    label = prompt.labels.get()
    publish(
        actor=SYSTEM, prompt=prompt, version=prompt.head, label="production", reason="r", seen_revision=label.revision
    )
    assert run("export", str(out)) == "Wrote 1 commit and moved 1 label.\n"
    assert git(out, "rev-parse", "HEAD~1").strip() == first
    assert git(out, "rev-parse", "support/answer@production").strip() == git(out, "rev-parse", "HEAD").strip()
    run("export", str(tmp_path / "again"))
    assert git(tmp_path / "again", "rev-parse", "HEAD") == git(out, "rev-parse", "HEAD")


def test_it_shows_settings_and_removals(library: Cast, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run("export", str(out))
    change_prompt(actor=SYSTEM, prompt=head("style"), description="House style")
    delete_prompt(actor=SYSTEM, prompt=head("support/chat"))
    run("export", str(out))
    subjects = git(out, "log", "-2", "--format=%s").split("\n")
    assert subjects[:2] == ["Bring style in line with the console", "Remove support/chat"]
    assert not (out / "support/chat.md").exists() and "House style" in (out / "style.md").read_text()
    assert git(out, "status", "--porcelain") == ""
    create_prompt(
        actor=SYSTEM, team=library.team_a, slug="support/chat", kind="chat", content=[{"role": "user", "text": "New"}]
    )
    run("export", str(out))
    assert (out / "support/chat.md").read_text().endswith("# [user]\nNew\n")
    assert run("import", str(out)) == "Imported 0 versions, 0 conflicts.\n"


def test_a_new_prompt_keeps_the_file_of_one_that_was_removed_in_git(library: Cast, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run("export", str(out))
    git(out, "rm", "-q", "support/chat.md")
    git(out, "commit", "-qm", "Not needed")
    delete_prompt(actor=SYSTEM, prompt=head("support/chat"))
    run("import", str(out))
    content = [{"role": "user", "text": "New"}]
    create_prompt(actor=SYSTEM, team=library.team_a, slug="support/chat", kind="chat", content=content)
    for _ in range(2):
        run("export", str(out))
        assert (out / "support/chat.md").read_text().endswith("# [user]\nNew\n")


def test_a_commit_becomes_a_version_with_its_author_and_message(library: Cast, tmp_path: Path) -> None:
    run("export", str(tmp_path / "out"))
    git(tmp_path, "clone", "-q", "out", "clone")
    clone, file = tmp_path / "clone", tmp_path / "clone/support/answer.md"
    file.write_text(file.read_text().replace("Answer well.", "Answer {{name}} kindly."))
    git(clone, "commit", "-qam", "Be kind\n\nAs asked.")
    said = run("import", str(clone), "--dry-run")
    assert "~ support/answer@3 by Ann Author: Be kind" in said and "    +Answer {{name}} kindly." in said
    assert head("support/answer").head.number == 2
    assert run("import", str(clone)).endswith("Imported 1 version, 0 conflicts.\n")
    version = head("support/answer").head
    assert (version.number, version.author_name, version.author_email) == (3, "Ann Author", "ann@example.com")
    assert (version.message, version.variables[0]["name"]) == ("Be kind\n\nAs asked.", "name")
    assert version.content == [{"role": "", "text": "Answer {{name}} kindly."}]
    assert run("import", str(clone)) == "Imported 0 versions, 0 conflicts.\n"
    # What git wrote stays as it is: the file says all of the version, so there is nothing to add.
    assert run("export", str(clone)) == "Wrote 0 commits and moved 0 labels.\n"


def test_another_console_starts_from_a_repository(library: Cast, tmp_path: Path) -> None:
    run("export", str(tmp_path / "out"))
    before = {v.prompt.slug + str(v.number): (v.content, v.author_name, v.message, int(v.created_at.timestamp()))
              for p in Prompt.objects.all() for v in p.versions.all()}  # fmt: skip
    Prompt.objects.update(deleted_at="2026-01-01T00:00:00Z", slug="gone")
    GitSync.objects.all().delete()
    said = run("import", str(tmp_path / "out"))
    assert said.endswith("Imported 4 versions, 0 conflicts.\n")
    after = {v.prompt.slug + str(v.number): (v.content, v.author_name, v.message, int(v.created_at.timestamp()))
             for p in Prompt.objects.filter(deleted_at=None) for v in p.versions.all()}  # fmt: skip
    assert after == before and head("support/chat").tags == ["a"]


def test_it_reports_a_conflict_and_loses_nothing(library: Cast, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run("export", str(out))
    file = out / "support/answer.md"
    file.write_text(file.read_text().replace("Answer well.", "From git."))
    git(out, "commit", "-qam", "From git")
    save("support/answer", "From the console.")
    said = run("import", str(out))
    assert "another text than the console's newest version, 3." in said and "Imported 0 versions, 1 conflict." in said
    with pytest.raises(CommandError, match="import them first"):
        run("export", str(out))
    assert "Imported 1 version, 0 conflicts." in run("import", str(out), "--take", "support/answer")
    assert [v.content[0]["text"] for v in head("support/answer").versions.all()[:2]] == [
        "From git.",
        "From the console.",
    ]
    # And the other way: the console's text is kept, git keeps its commit below.
    file.write_text(file.read_text().replace("From git.", "From git again."))
    git(out, "commit", "-qam", "From git again")
    save("support/answer", "The console's.", "Mine")
    assert "Imported 0 versions, 0 conflicts." in run("import", str(out), "--keep", "support/answer")
    run("export", str(out))
    assert file.read_text().endswith("The console's.\n")
    assert git(out, "log", "-2", "--format=%s").split("\n")[:2] == ["Mine", "From git again"]


def test_it_follows_branches_and_merges(library: Cast, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run("export", str(out))
    file = out / "support/answer.md"
    git(out, "checkout", "-qb", "side")
    file.write_text(file.read_text().replace("Answer well.", "On the side."))
    git(out, "commit", "-qam", "On the side")
    git(out, "checkout", "-q", "main")
    (out / "style.md").write_text((out / "style.md").read_text().replace("Be brief.", "Be long."))
    git(out, "commit", "-qam", "On main")
    git(out, "merge", "-q", "--no-ff", "-m", "Merge side", "side")
    said = run("import", str(out))
    assert "support/answer@3 by Ann Author: On the side" in said and "style@2 by Ann Author: On main" in said
    assert said.endswith("Imported 2 versions, 0 conflicts.\n")


def test_it_makes_new_prompts_for_a_team_the_actor_builds_in(library: Cast, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run("export", str(out))
    (out / "greeting.md").write_text("---\nkind: text\n---\nHello {{> fresh}}\n")
    (out / "fresh.md").write_text("---\nkind: partial\n---\nFresh\n")
    git(out, "add", ".")
    git(out, "commit", "-qm", "Two more")
    with pytest.raises(CommandError, match="names no team"):
        run("import", str(out))
    with pytest.raises(CommandError, match="may not build"):
        run("import", str(out), "--team", "team-a", "--as", "bob@example.com")
    assert run("import", str(out), "--team", "team-a", "--as", "alice@example.com").endswith(
        "Imported 2 versions, 0 conflicts.\n"
    )
    assert head("greeting").team == library.team_a


def test_it_refuses_what_is_outside_the_schema_and_changes_nothing(library: Cast, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run("export", str(out))
    good = "---\nteam: team-a\n---\nGood\n"
    wrong = {
        "Bad Name.md": good,
        "notes.txt": "x",
        "keys.md": "---\ncode: x\n---\n",
        "binary.md": "---\nteam: team-a\n---\na\0b",
        "good.md": good,
        "missing.md": "---\nteam: team-a\n---\n\n{{> nowhere}}\n",
        "nul.md": '---\nteam: team-a\ndescription: "Two\\0words"\n---\nGood\n',
        "surrogate.md": '---\ndescription: Good\nteam: "\\ud800"\n---\nGood\n',
        "tag.md": '---\nteam: team-a\ntags:\n  - "a\\u202eb"\n---\nGood\n',
        "braces.md": "---\nteam: team-a\nkind: chat\n---\n# [system]\nA\n\n# [user]\nB\n{{1 + 1}}\n",
    }
    for name, text in wrong.items():
        (out / name).write_text(text)
    (out / "latin.md").write_bytes(b"---\nteam: team-a\n---\nG\xfcnter\n")
    (out / "link.md").symlink_to("/etc/passwd")
    git(out, "init", "-q", "inner")
    git(out / "inner", "commit", "-q", "--allow-empty", "-m", "x")
    git(out, "-c", "advice.addEmbeddedRepo=false", "add", ".")
    git(out, "commit", "-qm", "Everything wrong")
    with pytest.raises(CommandError) as caught:
        run("import", str(out))
    said = str(caught.value)
    for words in (
        "Bad Name.md: This cannot be",
        "notes.txt: ",
        "link.md: This is a symbolic link",
        "inner: This is a submodule",
    ):
        assert words in said
    git(out, "rm", "-q", "--cached", "Bad Name.md", "notes.txt", "link.md", "inner")
    git(out, "commit", "-qm", "Better names")
    with pytest.raises(CommandError) as caught:
        run("import", str(out))
    said = str(caught.value)
    for words in ("keys.md:2: 'code' is not a key", "binary.md:4: This is a binary", "latin.md:4: This is not UTF-8",
                  "missing.md:4: The partial 'nowhere'", "braces.md:10: ", "nul.md:3: This holds a character",
                  "surrogate.md:3: This holds", r"tag.md:3: The tag 'a\u202eb' holds"):  # fmt: skip
        assert words in said, said
    assert not Prompt.objects.filter(slug="good").exists()


def test_it_does_not_write_over_what_is_not_committed(library: Cast, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run("export", str(out))
    (out / "support/answer.md").write_text("mine")
    save("support/answer", "New")
    with pytest.raises(CommandError, match="not committed"):
        run("export", str(out))
    assert (out / "support/answer.md").read_text() == "mine"
    (tmp_path / "full").mkdir()
    (tmp_path / "full/x").touch()
    with pytest.raises(CommandError, match="holds other files"):
        run("export", str(tmp_path / "full"))
    with pytest.raises(CommandError, match="not a git repository"):
        run("import", str(tmp_path / "full"))


def test_it_reads_odd_commits_and_says_when_a_repository_is_damaged(library: Cast, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run("export", str(out))
    file = out / "support/answer.md"
    file.write_text(file.read_text().replace("Answer well.", "Answer oddly."))
    git(out, "config", "i18n.commitEncoding", "ISO-8859-1")
    (tmp_path / "message").write_bytes(b"Gr\xfc\xdfe\x1b[31m " + b"x" * 600)
    git(out, "commit", "-qa", "-F", str(tmp_path / "message"))
    run("import", str(out))
    message = head("support/answer").head.message
    assert message.startswith("Grüße[31m xxx") and message.endswith("x…") and len(message) == 500
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{out}", "shallow")
    with pytest.raises(CommandError, match="unshallow"):
        run("import", str(tmp_path / "shallow"))
    file.write_text(file.read_text().replace("oddly", "never"))
    git(out, "commit", "-qam", "Lost")
    blob = git(out, "rev-parse", "HEAD:support/answer.md").strip()
    stored = out / ".git/objects" / blob[:2] / blob[2:]
    stored.chmod(0o600)
    stored.write_bytes(b"rubbish")
    with pytest.raises(CommandError, match="damaged"):
        run("import", str(out))
    stored.unlink()
    with pytest.raises(CommandError, match="lacks the object"):
        run("import", str(out))


def test_no_path_leads_out_of_the_library(library: Cast, tmp_path: Path) -> None:
    """Trees can hold names no file system would take: written as raw objects, as an attacker would."""
    out = tmp_path / "out"
    run("export", str(out))
    with closing(Repo(str(out))) as repo:
        text = Blob.from_string(b"---\nteam: team-a\n---\nOut of here\n")
        repo.object_store.add_object(text)
        before = repo[repo.head()]
        assert isinstance(before, Commit)
        said = ""
        for names in ([b".."], [b"a", b".."], [b"/etc"], [b"a\\..\\b"], [b"C:"], [b"-"], [b"new"]):
            sha, mode = text.id, 0o100644
            for name in reversed([*names, b"x.md"]):
                tree = Tree()
                tree.add(name, mode, sha)
                repo.object_store.add_object(tree)
                sha, mode = tree.id, 0o040000
            whole = repo[before.tree]
            assert isinstance(whole, Tree)
            inner = repo[sha]
            assert isinstance(inner, Tree)
            for entry in inner.items():
                whole.add(entry.path, entry.mode, entry.sha)
            repo.object_store.add_object(whole)
            commit = Commit()
            commit.tree, commit.parents, commit.message = whole.id, [before.id], b"x"
            commit.author = commit.committer = b"Eve <eve@example.com>"
            commit.author_time = commit.commit_time = before.commit_time + 1
            commit.author_timezone = commit.commit_timezone = 0
            repo.object_store.add_object(commit)
            repo.refs[repo.refs.follow(b"HEAD")[0][-1]] = commit.id
            try:
                said += run("import", str(out))
            except CommandError as refused:
                said += str(refused)
            assert not Prompt.objects.exclude(slug__in=["style", "support/chat", "support/answer"]).exists(), names
    assert said.count("cannot be a prompt's name") >= 4, said
    assert not list(tmp_path.glob("x.md")) and not (tmp_path.parent / "x.md").exists()


def test_a_file_too_large_is_named(library: Cast, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run("export", str(out))
    (out / "huge.md").write_bytes(b"---\nteam: team-a\n---\n" + b"x" * 3_000_000)
    git(out, "add", ".")
    git(out, "commit", "-qm", "Huge")
    with pytest.raises(CommandError, match=r"huge\.md: The file has 3,0\d\d,\d\d\d bytes"):
        run("import", str(out))
