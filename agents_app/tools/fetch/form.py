"""The form of a page reader."""

from django.utils.safestring import mark_safe

from agents_app.tools.fields import LinesField
from agents_app.tools.form import ToolForm


class FetchForm(ToolForm):
    own = ("hosts",)

    hosts = LinesField(
        label="Hosts it may read",
        placeholder="docs.example.com\n*.example.org",
        help_text=mark_safe("One per line. <code>*.example.org</code> means every name below it."),
    )
