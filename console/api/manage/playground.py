"""Ratings of answers in the playground."""

from typing import Any

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from console.api.manage.base import Endpoint, Strict
from console.core.ids import request_id
from console.playground import ratings
from console.playground.bench import RATINGS


class AnswerRatingSerializer(Strict):
    rating = serializers.ChoiceField(RATINGS)


class RatedAnswerSerializer(serializers.Serializer[Any]):
    request_id = serializers.CharField()
    rating = serializers.CharField()


class Rating(Endpoint):
    needs = "use_models"

    @extend_schema(
        operation_id="rate_answer",
        summary="Say of an answer one got in the playground that it is good or bad",
        description="The log keeps it beside the call. Only of one's own calls; anybody else's look like none.",
        request=AnswerRatingSerializer,
        responses=RatedAnswerSerializer,
    )
    def put(self, request: Any, reference: str) -> Response:
        answer = ratings.answer_for(self.caller, reference)
        says = self.read(AnswerRatingSerializer)["rating"]
        ratings.rate(actor=self.actor, answer=answer, says=says)
        return Response({"request_id": request_id(answer.pk), "rating": says})

    @extend_schema(operation_id="unrate_answer", summary="Take the rating of an answer back", responses={204: None})
    def delete(self, request: Any, reference: str) -> Response:
        ratings.rate(actor=self.actor, answer=ratings.answer_for(self.caller, reference), says="")
        return Response(status=204)


urlpatterns = [path("playground/answers/<str:reference>/rating/", Rating.as_view(), name="rate_answer")]
