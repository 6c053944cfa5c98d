"""Forms that several parts of the schema share."""

from console.catalog import names
from console.pages.configuration.forms import Field, Record, Text

SHORT_NAME = Text("a short name of lower-case letters, digits and hyphens", names.SLUG.pattern, 60)
# Those of teams are what the page of teams has always taken.
TEAM_SLUG = Text("a short name of letters, digits, hyphens and underscores", r"[A-Za-z0-9_-]+", 60)
ALIAS = Text("an alias of lower-case letters, digits, dots, hyphens and underscores", names.ALIAS.pattern, 100)
MODEL_NAME = Text("provider/name, for example openai/gpt-4o-mini", r"[a-z0-9][a-z0-9-]{0,59}/[^\s]{1,200}", 261)
EMAIL = Text("an e-mail address", r"[^@\s]+@[^@\s]+", 254)
DESCRIPTION = Text("a few words", longest=300)
SECRET = Record(
    "A secret",
    {
        "env": Field(
            Text("the name of an environment variable", r"[A-Za-z_][A-Za-z0-9_]*", 200, is_secret=True),
            "The environment variable to read it from when the file is applied.",
        ),
        "file": Field(Text("a file's path", longest=4096, is_secret=True), "The file to read it from."),
        "value": Field(
            Text("the secret itself", longest=10_000, is_secret=True),
            "The secret itself; env or file keep it out of here.",
        ),
    },
    one_of=True,
    is_secret=True,
)
