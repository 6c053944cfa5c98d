"""What a commit says of itself, which whoever may push decides."""

from dulwich.objects import Commit

from prompts_app.git.signing import read_author, read_message


def commit(message: bytes, encoding: bytes = b"") -> Commit:
    made = Commit()
    made.author = made.committer = "Jürgen <j@example.com>".encode("latin-1" if encoding == b"ISO-8859-1" else "utf-8")
    made.message = message
    if encoding:
        made.encoding = encoding
    return made


def test_it_reads_the_message_without_our_line() -> None:
    assert read_message(commit(b"Be kind\n\nAnd brief.\n\nPrompt: a/b@12\n"), "a/b") == "Be kind\n\nAnd brief."
    assert read_message(commit(b"Prompt: a/b@12"), "a/b") == "" == read_message(commit(b"Save a/b\n"), "a/b")
    assert read_message(commit(b"Prompt: a/b@12 and more"), "a/b") == "Prompt: a/b@12 and more"
    # Half a million line breaks were looked at from each of them.
    assert read_message(commit(b"a" + b"\n" * 500_000 + b"b"), "a/b").startswith("a\n\n")


def test_it_knows_the_encodings_people_write_in_and_no_others() -> None:
    latin = commit("Grüße".encode("latin-1"), b"ISO-8859-1")
    assert (read_message(latin, "a"), read_author(latin)) == ("Grüße", ("Jürgen", "j@example.com"))
    for odd in (b"punycode", b"unicode_escape", b"rot13", b"\xff"):  # of which the first takes the square of its input
        assert read_message(commit(b"abc-\\u0041z9", odd), "a") == "abc-\\u0041z9"
