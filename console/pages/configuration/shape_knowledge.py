"""The part of the schema about collections and documents."""

from console.knowledge.models import Document, Language
from console.knowledge.services.documents import MOST_CHARACTERS
from console.pages.configuration.forms import Choice, Field, ListOf, Number, OrNone, Record, Text
from console.pages.configuration.shape_words import DESCRIPTION, MODEL_NAME, TEAM_SLUG

DOCUMENT = Record(
    "A document",
    {
        "name": Field(Text("a name", longest=120), "What citations call it; files know it by that.", required=True),
        "text": Field(Text("the document's text", longest=MOST_CHARACTERS + 50_000), "What it says."),
        "file": Field(
            Text("a file's path", longest=4096),
            "The file that says it: md, txt, csv, html, pdf, docx or xlsx, beside this one unless its path is whole.",
        ),
        "kind": Field(
            Choice(lambda: list(Document.Kind.values)),
            "How its text is read: markdown unless a file's ending says otherwise, or it is known already.",
        ),
    },
    extra={"oneOf": [{"required": ["text"]}, {"required": ["file"]}]},
)
COLLECTION = Record(
    "A collection",
    {
        "slug": Field(
            Text("a short name of lower-case letters, digits and hyphens", r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?", 64),
            "Its short name, by which calls and agents name it; it never changes.",
            required=True,
        ),
        "team": Field(TEAM_SLUG, "The team it belongs to; without one it is the whole organisation's."),
        "name": Field(Text("a name", longest=80), "Its name; the short name unless given."),
        "description": Field(OrNone(DESCRIPTION), "What people read about it."),
        "language": Field(Choice(lambda: list(Language.values)), "How its words are read; english unless given."),
        "model": Field(
            OrNone(MODEL_NAME), "The model version that makes its vectors; without one it is searched by words alone."
        ),
        "least_likeness": Field(
            OrNone(Number(1, 20)),
            "What a passage sent with calls needs; 0 for none, none as was measured for its model.",
        ),
        "payer": Field(TEAM_SLUG, "Of the whole organisation's: the team whose quotas its vectors count in."),
        "documents": Field(ListOf(DOCUMENT, "documents"), "Its documents. A text that differs is the next version."),
    },
)
