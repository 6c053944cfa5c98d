"""Forms of collections and documents. What cannot be saved stays in the form."""

from typing import Any

from django import forms
from django.db.models import QuerySet

from console.catalog.models import ModelVersion
from console.core.forms import ShortNamed, offer
from console.knowledge import files
from console.knowledge.likeness import MEASURED
from console.knowledge.models import Collection, Document, Language
from console.knowledge.services.documents import MOST_CHARACTERS, check_text
from console.teams.models import Team

ORGANISATION = "*"  # no short name has it


class CollectionForm(ShortNamed):
    name = forms.CharField(max_length=80, widget=forms.TextInput(attrs={"placeholder": "Support"}))
    slug = forms.CharField(
        max_length=64,
        label="Short name",
        widget=forms.TextInput(attrs={"class": "mono", "autocomplete": "off", "placeholder": "support"}),
        help_text="Used by agents and programs. It cannot be changed later.",
    )
    team = forms.ChoiceField(label="Owner")
    description = forms.CharField(
        max_length=300, required=False, help_text="What it contains; agents that search it read this, too."
    )
    language = forms.ChoiceField(
        choices=Language.choices,
        initial=Language.ENGLISH,
        help_text="The language of its documents: in English, “refunds” finds “refund”.",
    )
    model = forms.ModelChoiceField(
        ModelVersion.objects.none(),
        required=False,
        label="Embeddings model",
        empty_label="None: search by words only",
        help_text="Finds passages with the same meaning in other words. Passages and questions are ordinary calls of "
        "this model.",
    )
    least_likeness = forms.FloatField(
        label="Minimum similarity",
        required=False,
        min_value=0,
        max_value=1,
        help_text="Passages below it are not sent with calls; try a search to see typical values. "
        f"Empty: {MEASURED} with the built-in embeddings, else none. 0: none.",
        widget=forms.NumberInput(attrs={"step": "0.01", "inputmode": "decimal"}),
    )
    payer = forms.ModelChoiceField(
        Team.objects.none(),
        required=False,
        to_field_name="slug",
        label="Team charged for vectors",
        empty_label="The team itself",
        help_text="For a collection of the whole organisation: the team whose quotas they count in.",
    )
    seen_revision = forms.IntegerField(min_value=1, widget=forms.HiddenInput)

    def __init__(
        self,
        *args: Any,
        teams: QuerySet[Team],
        models: QuerySet[ModelVersion],
        is_operator: bool,
        collection: Collection | None = None,
        **kwargs: Any,
    ) -> None:
        if collection is not None:
            names = ("name", "description", "language", "model", "least_likeness")
            kwargs["initial"] = {name: getattr(collection, name) for name in names} | {
                "payer": collection.payer.slug if collection.payer else "",
                "seen_revision": collection.revision,
            }
        super().__init__(*args, **kwargs)
        self.collection, self.teams = collection, teams
        self._models().queryset = models
        if collection is None:
            del self.fields["seen_revision"]
            whose = [(team.slug, team.name) for team in teams]
            whose += [(ORGANISATION, "The whole organisation: every team reads it")] if is_operator else []
            self._choices().choices = whose
        else:
            del self.fields["slug"], self.fields["team"]
            if collection.model_id is not None:
                self._models().queryset = models | ModelVersion.objects.filter(pk=collection.model_id).select_related(
                    "provider"
                )
        self.fields["payer"].when_needed = "for the organisation’s"  # type: ignore[attr-defined]
        if is_operator and (collection is None or collection.team_id is None):
            offer(self, "payer", teams)
        else:
            del self.fields["payer"]

    def _models(self) -> "forms.ModelChoiceField[ModelVersion]":
        return self.fields["model"]  # type: ignore[return-value]

    def _choices(self) -> forms.ChoiceField:
        return self.fields["team"]  # type: ignore[return-value]

    def changes(self) -> dict[str, Any]:
        """Return what a service takes."""
        given = dict(self.cleaned_data)
        if "team" in given:
            given["team"] = next((team for team in self.teams if team.slug == given["team"]), None)
        return given


class DocumentForm(forms.Form):
    """A document's next version, pasted or uploaded. A file's text stays in the form when something else is wrong."""

    says_why = "message"

    name = forms.CharField(
        max_length=120,
        required=False,
        widget=forms.TextInput(attrs={"placeholder": "Price policy"}),
        help_text="Citations name it. Empty: as the file is called.",
    )
    text = forms.CharField(
        max_length=MOST_CHARACTERS + 50_000,  # the service counts without what surrounds it
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 22, "spellcheck": "true"}),
        help_text="Markdown or plain text. Headings (#) become the path a citation shows.",
    )
    file = forms.FileField(
        required=False,
        label="Or a file instead",
        allow_empty_file=True,
        widget=forms.ClearableFileInput(attrs={"accept": ",".join(files.KINDS)}),
        help_text=(
            f"md, txt, csv, html, pdf, docx or xlsx, up to {files.MOST_BYTES // 1024**2} MB (html: 4)."
            " It replaces the text."
        ),
    )
    message = forms.CharField(
        max_length=500,
        required=False,
        label="What changed, and why",
        widget=forms.TextInput(attrs={"placeholder": "Express delivery costs 9 euros from June on"}),
    )
    kind = forms.ChoiceField(choices=Document.Kind.choices, required=False, widget=forms.HiddenInput)
    source_name = forms.CharField(max_length=120, required=False, widget=forms.HiddenInput)
    seen_version = forms.IntegerField(min_value=0, required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, document: Document | None = None, **kwargs: Any) -> None:
        if document is not None and document.current is not None:
            kwargs["initial"] = {
                "name": document.name,
                "text": document.current.text,
                "seen_version": document.newest,
            } | (kwargs.get("initial") or {})
        super().__init__(*args, **kwargs)
        self.document = document
        self.fields["text"].when_needed = "or a file"  # type: ignore[attr-defined]
        if document is not None:
            self.fields["name"].help_text = "Citations name it."
            self.fields["name"].required = True
        else:
            self.fields["name"].when_needed = "unless a file has one"  # type: ignore[attr-defined]

    def read_file(self) -> None:
        """Have the text of an uploaded file stand where one types, so that nothing is lost by another mistake."""
        upload = self.cleaned_data.get("file")
        if upload is None:
            return
        read = files.read(upload)
        found = {"text": read.text, "kind": read.kind, "source_name": read.name}
        found["name"] = self.cleaned_data.get("name") or (self.document.name if self.document else read.title)
        self.cleaned_data |= found
        self.data = {name: self.data.get(name) for name in self.data} | found

    def changes(self) -> dict[str, Any]:
        """Return what a service takes."""
        given = {name: self.cleaned_data[name] for name in ("name", "text", "message", "source_name")}
        given["kind"] = self.cleaned_data.get("kind") or self._typed_kind()
        return given

    def _typed_kind(self) -> str | None:
        current = self.document.current if self.document else None
        if current is not None and current.text == check_text(self.cleaned_data["text"]):
            return None  # what was not typed stays what it was read from
        is_text = current is not None and current.kind == Document.Kind.TEXT
        return Document.Kind.TEXT if is_text else Document.Kind.MARKDOWN


class CurrentForm(forms.Form):
    """Which version was current when somebody decided to make another one so."""

    seen_current = forms.IntegerField(min_value=1, required=False, widget=forms.HiddenInput)


class SearchForm(forms.Form):
    question = forms.CharField(
        max_length=2_000,
        label="A question, as a customer would ask it",
        widget=forms.TextInput(attrs={"placeholder": "How long can I return a jacket?", "autocomplete": "off"}),
    )
