"""The form of a document search."""

from django import forms

from agents_app.tools.fields import LinesField
from agents_app.tools.form import ToolForm
from agents_app.tools.knowledge.kind import USUAL
from console.knowledge.search import MOST_FOUND


class KnowledgeForm(ToolForm):
    own = ("collections", "passages")

    collections = LinesField(
        label="Collections it searches",
        placeholder="support\nhandbook",
        help_text="Short names, one a line: the team’s own, else the whole organisation’s.",
    )
    passages = forms.IntegerField(
        min_value=1, max_value=MOST_FOUND, initial=USUAL, label="Passages a search brings at most"
    )
