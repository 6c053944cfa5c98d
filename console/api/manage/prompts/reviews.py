"""Reviews of label moves, and waivers of required partials."""

import uuid
from typing import Any

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework.response import Response

from console.api.manage.base import Endpoint, listed
from console.api.manage.prompts.base import PromptEndpoint
from console.api.manage.prompts.shapes import (
    CommentSerializer,
    DecisionSerializer,
    NewCommentSerializer,
    NewReviewSerializer,
    NewWaiverSerializer,
    OneReviewSerializer,
    ReviewSerializer,
    WaiverSerializer,
)
from prompts_app import access
from prompts_app.models import Review, Waiver
from prompts_app.services import reviews, waivers

_PAGE = listed(ReviewSerializer)


class AllReviews(Endpoint):
    needs = "view_team"

    @extend_schema(operation_id="list_reviews", summary="List the reviews of all prompts you see", responses=_PAGE)
    def get(self, request: Any) -> Response:
        return self.page(access.reviews_for(self.caller).select_related("from_version"), ReviewSerializer)


class Reviews(PromptEndpoint):
    needs_to = {"POST": "build"}

    @extend_schema(operation_id="list_prompt_reviews", summary="List the reviews of a prompt", responses=_PAGE)
    def get(self, request: Any, slug: str) -> Response:
        rows = Review.objects.filter(prompt=self.prompt(slug))
        return self.page(rows.select_related("prompt", "version", "from_version"), ReviewSerializer)

    @extend_schema(summary="Ask for a review", request=NewReviewSerializer, responses={201: ReviewSerializer})
    def post(self, request: Any, slug: str) -> Response:
        prompt = self.prompt(slug, "publish")
        body = self.read(NewReviewSerializer)
        body["version"] = self.version(prompt, body["version"])
        review = reviews.request_review(actor=self.actor, prompt=prompt, **body)
        return Response(ReviewSerializer(review).data, status=201)


class OneReview(PromptEndpoint):
    @extend_schema(summary="Show a review with its comments", responses=OneReviewSerializer)
    def get(self, request: Any, slug: str, pk: uuid.UUID) -> Response:
        return Response(OneReviewSerializer(access.review_for(self.prompt(slug), pk)).data)


class Comments(PromptEndpoint):
    """Whoever may write or review in the team may comment."""

    @extend_schema(
        operation_id="comment_on_review",
        summary="Comment on a review, or on one line",
        request=NewCommentSerializer,
        responses={201: CommentSerializer},
    )
    def post(self, request: Any, slug: str, pk: uuid.UUID) -> Response:
        prompt = self.prompt(slug)
        if not access.may(self.caller, prompt, "review"):
            prompt = self.prompt(slug, "edit")
        review = access.review_for(prompt, pk)
        remark = reviews.comment(actor=self.actor, review=review, **self.read(NewCommentSerializer))
        return Response(CommentSerializer(remark).data, status=201)


class Decision(PromptEndpoint):
    needs = "approve"

    @extend_schema(
        operation_id="decide_review",
        summary="Approve a version, or ask for changes",
        request=DecisionSerializer,
        responses=ReviewSerializer,
    )
    def post(self, request: Any, slug: str, pk: uuid.UUID) -> Response:
        review = access.review_for(self.prompt(slug, "review"), pk)
        decided = reviews.decide(actor=self.actor, review=review, **self.read(DecisionSerializer))
        return Response(ReviewSerializer(decided).data)


class TakingBack(PromptEndpoint):
    needs = "approve"

    @extend_schema(
        operation_id="take_back_approval",
        summary="Take an approval back before it is used",
        request=None,
        responses=ReviewSerializer,
    )
    def post(self, request: Any, slug: str, pk: uuid.UUID) -> Response:
        review = access.review_for(self.prompt(slug, "review"), pk)
        return Response(ReviewSerializer(reviews.take_back(actor=self.actor, review=review)).data)


class Withdrawal(PromptEndpoint):
    needs = "build"

    @extend_schema(
        operation_id="withdraw_review",
        summary="Take a request for review back",
        request=None,
        responses=ReviewSerializer,
    )
    def post(self, request: Any, slug: str, pk: uuid.UUID) -> Response:
        review = access.review_for(self.prompt(slug, "publish"), pk)
        return Response(ReviewSerializer(reviews.withdraw(actor=self.actor, review=review)).data)


class Waivers(PromptEndpoint):
    needs_to = {"POST": "approve"}

    @extend_schema(
        operation_id="list_waivers",
        summary="List the waivers of a prompt",
        responses=listed(WaiverSerializer),
    )
    def get(self, request: Any, slug: str) -> Response:
        rows = Waiver.objects.filter(prompt=self.prompt(slug)).select_related("partial")
        return self.page(rows, WaiverSerializer)

    @extend_schema(
        operation_id="give_waiver",
        summary="Let a prompt leave out a required partial",
        request=NewWaiverSerializer,
        responses={201: WaiverSerializer},
    )
    def post(self, request: Any, slug: str) -> Response:
        prompt = self.prompt(slug, "waive")
        body = self.read(NewWaiverSerializer)
        partial = self.prompt(body["partial"])
        waiver = waivers.give_waiver(actor=self.actor, prompt=prompt, partial=partial, reason=body["reason"])
        return Response(WaiverSerializer(waiver).data, status=201)


class OneWaiver(PromptEndpoint):
    needs = "approve"

    @extend_schema(operation_id="end_waiver", summary="End a waiver", responses={204: None})
    def delete(self, request: Any, slug: str, pk: uuid.UUID) -> Response:
        prompt = self.prompt(slug, "waive")
        waiver = Waiver.objects.filter(prompt=prompt, pk=pk).select_related("prompt", "partial").first()
        if waiver is None:
            raise Http404("There is no such waiver.")
        waivers.end_waiver(actor=self.actor, waiver=waiver)
        return Response(status=204)
