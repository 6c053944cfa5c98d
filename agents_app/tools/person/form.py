"""The form of a question to a person."""

from agents_app.tools.fields import JsonField
from agents_app.tools.form import ToolForm


class PersonForm(ToolForm):
    own = ("form",)

    form = JsonField(
        required=False,
        label="What they fill in, as JSON schema",
        placeholder='{"type": "object", "properties": {"approved": {"type": "boolean"}}}',
        help_text="Texts, numbers and yes or no. Empty: one field for a text.",
    )
