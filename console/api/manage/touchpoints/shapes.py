"""Serializers of the inventory."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from console.api.manage.base import Strict
from console.touchpoints.models import Expectation, Expected, Kind, LegacyTouchpoint, Status, Subject
from console.touchpoints.rows import SOURCES, STATES
from console.touchpoints.signals import Direction
from usage_app import amounts
from usage_app.models import Metric


class TouchpointLinkSerializer(serializers.Serializer[Any]):
    source = serializers.CharField()  # type: ignore[assignment]
    id = serializers.UUIDField()
    name = serializers.CharField()


class TouchpointSerializer(serializers.Serializer[Any]):
    """A line of the inventory. Figures are of the last 30 days; null is not known."""

    source = serializers.ChoiceField(list(SOURCES))  # type: ignore[assignment]
    id = serializers.UUIDField()
    name = serializers.CharField()
    team = serializers.CharField()
    where = serializers.CharField()
    kinds = serializers.ListField(child=serializers.ChoiceField(Kind.choices))
    owner = serializers.CharField()
    purpose = serializers.CharField()
    expected = serializers.ChoiceField(Expected.choices, allow_null=True)
    environment = serializers.CharField(allow_null=True)
    aliases = serializers.ListField(child=serializers.CharField())
    models = serializers.ListField(child=serializers.CharField())
    calls = serializers.IntegerField(allow_null=True)
    errors = serializers.IntegerField(allow_null=True)  # type: ignore[assignment]
    cost = serializers.CharField(allow_null=True, help_text="Decimal string in currency units.")
    spend_estimate = serializers.CharField(allow_null=True, help_text="A month, of what is not on Facet.")
    p50_us = serializers.IntegerField(allow_null=True, help_text="Of calls; of whole runs where source is agent.")
    p95_us = serializers.IntegerField(allow_null=True)
    first_token_p95_us = serializers.IntegerField(allow_null=True)
    last_used_at = serializers.DateTimeField(allow_null=True)
    state = serializers.ChoiceField(list(STATES))
    overlaps = TouchpointLinkSerializer(many=True)
    replaced_by = TouchpointLinkSerializer(allow_null=True)


class TouchpointSummarySerializer(serializers.Serializer[Any]):
    total = serializers.IntegerField(help_text="Without what is migrated or retired.")
    missed = serializers.IntegerField(help_text="Slower than expected.")
    unset = serializers.IntegerField(help_text="In use, without an expectation.")
    overlapping = serializers.IntegerField()
    cost = serializers.CharField(help_text="On Facet, in 30 days.")
    legacy_left = serializers.IntegerField()
    legacy_done = serializers.IntegerField()
    legacy_spend_estimate = serializers.CharField(help_text="A month, of what is left to migrate.")


class TouchpointFigureSerializer(serializers.Serializer[Any]):
    """One figure; null is not known. `of` is what a share is a share of."""

    name = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    unit = serializers.ChoiceField(["count", "percent", "seconds"])
    now = serializers.FloatField(source="values.now", allow_null=True, help_text="Of the last 30 days.")
    before = serializers.FloatField(source="values.before", allow_null=True, help_text="Of the 30 days before.")
    of_now = serializers.IntegerField(source="of.now", allow_null=True, default=None)
    of_before = serializers.IntegerField(source="of.before", allow_null=True, default=None)


class TouchpointSignalSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    title = serializers.CharField()
    direction = serializers.ChoiceField([one.value for one in Direction])
    said = serializers.CharField(help_text="Why, in a sentence.")
    figures = TouchpointFigureSerializer(many=True)


class TouchpointSignalsSerializer(serializers.Serializer[Any]):
    days = serializers.IntegerField()
    signals = TouchpointSignalSerializer(many=True)


class _ExpectationFields(Strict):
    expected = serializers.ChoiceField(Expected.choices, required=False, allow_blank=True)
    owner = serializers.CharField(required=False, allow_blank=True)
    purpose = serializers.CharField(required=False, allow_blank=True)


class ExpectationChangeSerializer(_ExpectationFields):
    """What is left out stays as it is; an empty text takes it back."""


class ExpectationSerializer(serializers.ModelSerializer[Expectation]):
    class Meta:
        model = Expectation
        fields = ["kind", "subject_id", "expected", "owner", "purpose", "changed_by_name", "changed_at"]


class LegacyTouchpointSerializer(serializers.ModelSerializer[LegacyTouchpoint]):
    """A place that is not on Facet. Needs `team` at hand."""

    team = serializers.SlugRelatedField("slug", read_only=True)  # type: ignore[var-annotated]
    where = serializers.CharField(source="place")
    spend = serializers.SerializerMethodField(help_text="An estimate a month, a decimal string in currency units.")
    replaced_by = serializers.SerializerMethodField()

    class Meta:
        model = LegacyTouchpoint
        fields = [
            "id", "team", "name", "where", "kind", "model", "owner", "expected", "spend", "notes", "status",
            "replaced_by", "revision", "created_at", "changed_at",
        ]  # fmt: skip

    def get_spend(self, legacy: LegacyTouchpoint) -> str | None:
        return None if legacy.spend_micros is None else amounts.for_input(Metric.COST, legacy.spend_micros)

    @extend_schema_field(TouchpointLinkSerializer(allow_null=True))
    def get_replaced_by(self, legacy: LegacyTouchpoint) -> dict[str, str] | None:
        if not legacy.replaced_by_kind:
            return None
        return {"source": legacy.replaced_by_kind, "id": str(legacy.replaced_by_id), "name": legacy.replaced_by_name}


class _LegacyFields(Strict):
    where = serializers.CharField(source="place", required=False, allow_blank=True)
    model = serializers.CharField(required=False, allow_blank=True, help_text="Vendor and model, the model last.")
    owner = serializers.CharField(required=False, allow_blank=True)
    expected = serializers.ChoiceField(Expected.choices, required=False, allow_blank=True)
    spend = serializers.CharField(required=False, allow_null=True, help_text="An estimate a month: 300 or 1,200.50")
    notes = serializers.CharField(required=False, allow_blank=True, trim_whitespace=False)
    status = serializers.ChoiceField(Status.choices, required=False)


class NewLegacyTouchpointSerializer(_LegacyFields):
    team = serializers.CharField()
    name = serializers.CharField()
    kind = serializers.ChoiceField(Kind.choices)


class ReplacementSerializer(Strict):
    kind = serializers.ChoiceField(Subject.choices)
    id = serializers.UUIDField()


class LegacyTouchpointChangeSerializer(_LegacyFields):
    """What is left out stays as it is."""

    name = serializers.CharField(required=False)
    kind = serializers.ChoiceField(Kind.choices, required=False)
    replaced_by = ReplacementSerializer(
        required=False, allow_null=True, help_text="What of the same team on Facet has its work; null: nothing."
    )
    revision = serializers.IntegerField(help_text="The revision this change was made on.")


class LegacyImportSerializer(Strict):
    team = serializers.CharField()
    csv = serializers.CharField(trim_whitespace=False, help_text="A head that names the columns, then a line a place.")
    skip_known = serializers.BooleanField(default=False, help_text="Leave out names that are listed already.")


class LegacyImportedSerializer(serializers.Serializer[Any]):
    imported = serializers.IntegerField()
    skipped = serializers.IntegerField()
