"""Ratings of answers: good or bad, a score, a comment."""

from decimal import Decimal
from typing import Any

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from agents_app.queries.run_state import call_of_answer
from console.api.manage.base import Endpoint, Strict
from console.audit.models import AuditEvent, Rating
from console.audit.services.ratings import MOST_COMMENT, Word
from console.core import texts
from console.core.errors import BadInput
from console.core.ids import request_id
from usage_app import access_audit as access
from usage_app.queries.audit.ratings import own_rating
from usage_app.services import ratings as services

_HALF = Decimal("0.5")


class ScoreField(serializers.FloatField):
    """A number from 0 to 1 and no text of one; NaN is none."""

    def to_internal_value(self, data: Any) -> float:
        if isinstance(data, bool) or not isinstance(data, int | float) or not 0 <= data <= 1:
            raise serializers.ValidationError("score is a number from 0 to 1.")
        return float(data)


class CallRatingSerializer(Strict):
    rating = serializers.ChoiceField(
        ["good", "bad"], required=False, help_text="Left out beside a score: good from 0.5 on."
    )
    score = ScoreField(required=False, allow_null=True, default=None, help_text="0 to 1; three places are kept.")
    comment = serializers.CharField(
        required=False,
        allow_blank=True,
        default="",
        trim_whitespace=False,
        help_text=f"Up to {MOST_COMMENT:,} characters.",
    )


class RatedCallSerializer(serializers.Serializer[Any]):
    request_id = serializers.CharField()
    rating = serializers.ChoiceField(["good", "bad"], allow_null=True, help_text="Null where the caller said nothing.")
    score = serializers.FloatField(allow_null=True)
    comment = serializers.CharField()
    given_at = serializers.DateTimeField(allow_null=True)


class CallRating(Endpoint):
    """One word of each caller on each call: a PUT twice is the same as once, and the newest replaces the one before."""

    needs = "use_models"

    @extend_schema(
        operation_id="call_rating", summary="Show what one said of a call's answer", responses=RatedCallSerializer
    )
    def get(self, request: Any, reference: str) -> Response:
        return self._rating_response(reference)

    @extend_schema(
        operation_id="rate_call",
        summary="Say of a call's answer that it is good or bad, and why",
        description=(
            "By the id in the header `X-Request-Id` of the answer, or of a run, whose last word is rated then. A key "
            "rates its own calls and those of its team in its environment; a person their own, and those of a log they "
            "may see. Sending the same again changes nothing, something else replaces what one said before."
        ),
        request=CallRatingSerializer,
        responses=RatedCallSerializer,
    )
    def put(self, request: Any, reference: str) -> Response:
        answer = self._answer(reference)
        self._say(answer, _word(self.read(CallRatingSerializer)))
        return self._rating_response(reference)

    @extend_schema(
        operation_id="unrate_call", summary="Take back what one said of a call's answer", responses={204: None}
    )
    def delete(self, request: Any, reference: str) -> Response:
        self._say(self._answer(reference), None)
        return Response(status=204)

    def _answer(self, reference: str) -> AuditEvent:
        """Return the call somebody may rate; a run stands for the call that gave its last word."""
        call = call_of_answer(reference)
        return access.answer_for(self.caller, request_id(call) if call else reference)

    def _say(self, answer: AuditEvent, word: Word | None) -> None:
        services.rate(actor=self.actor, answer=answer, word=word, rater_id=self.caller.first_key, surface="api")

    def _rating_response(self, reference: str) -> Response:
        answer = self._answer(reference)
        rating = own_rating(self.caller, answer.pk)
        return Response({"request_id": request_id(answer.pk), **_rating_data(rating)})


def _word(body: dict[str, Any]) -> Word:
    score = None if body["score"] is None else Decimal(str(round(body["score"], 3)))
    if "rating" not in body and score is None:
        raise BadInput("Say what you think of the answer: a rating (good or bad), a score, or both.", param="rating")
    is_good = body["rating"] == "good" if "rating" in body else score is not None and score >= _HALF
    return Word(is_good, score, texts.text(body["comment"], "comment", most=MOST_COMMENT))


def _rating_data(rating: Rating | None) -> dict[str, Any]:
    if rating is None:
        return {"rating": None, "score": None, "comment": "", "given_at": None}
    score = None if rating.score is None else float(rating.score)
    return {"rating": rating.says, "score": score, "comment": rating.comment, "given_at": rating.given_at}


urlpatterns = [path("calls/<str:reference>/rating/", CallRating.as_view(), name="call_rating")]
