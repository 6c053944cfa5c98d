"""The people of the installation, for operators."""

import uuid
from typing import Any

from django.conf import settings
from django.db import transaction
from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from console.api.manage.base import Endpoint, Strict, listed
from console.teams import access
from console.teams.models import User
from console.teams.services import people, sign_in


class PersonSerializer(serializers.ModelSerializer[User]):
    is_operator = serializers.BooleanField(source="is_superuser")

    class Meta:
        model = User
        fields = ["id", "email", "name", "is_active", "is_operator", "created_at", "last_login"]


class NewPersonSerializer(Strict):
    email = serializers.EmailField(max_length=254)
    name = serializers.CharField(max_length=120)
    is_operator = serializers.BooleanField(default=False, help_text="For people who just signed in.")


class PersonChangeSerializer(Strict):
    name = serializers.CharField(max_length=120, required=False)
    is_active = serializers.BooleanField(required=False)
    is_operator = serializers.BooleanField(required=False)


class People(Endpoint):
    needs = access.OPERATOR

    @extend_schema(operation_id="list_people", summary="List people", responses=listed(PersonSerializer))
    def get(self, request: Any) -> Response:
        return self.page(access.people_for(self.caller), PersonSerializer)

    @extend_schema(
        operation_id="create_person",
        summary="Create an account",
        description="The person comes in by single sign-on, or by a link: `POST …/sign-in-link/`. Whoever should see "
        "one team only is better invited by it.",
        request=NewPersonSerializer,
        responses={201: PersonSerializer},
    )
    def post(self, request: Any) -> Response:
        body = self.read(NewPersonSerializer)
        if body["is_operator"]:
            self.ask_again("say who is an operator", of_keys_too=True)
        self.ask_again("create an account")
        return Response(PersonSerializer(people.create_person(actor=self.actor, **body)).data, status=201)


class OnePerson(Endpoint):
    needs = access.OPERATOR

    @extend_schema(summary="Show a person", responses=PersonSerializer)
    def get(self, request: Any, pk: uuid.UUID) -> Response:
        return Response(PersonSerializer(access.person_for(self.caller, pk)).data)

    @extend_schema(
        summary="Rename, disable, enable or make an operator",
        request=PersonChangeSerializer,
        responses=PersonSerializer,
    )
    def patch(self, request: Any, pk: uuid.UUID) -> Response:
        person = access.person_for(self.caller, pk)
        body = self.read(PersonChangeSerializer)
        if "is_operator" in body:
            self.ask_again("say who is an operator", of_keys_too=True)
        with transaction.atomic():
            if "name" in body:
                person = people.rename_person(actor=self.actor, user=person, name=body["name"])
            if "is_operator" in body:
                person = people.set_operator(actor=self.actor, user=person, is_operator=body["is_operator"])
            if "is_active" in body and body["is_active"] != person.is_active:
                change = people.enable_person if body["is_active"] else people.disable_person
                person = change(actor=self.actor, user=person)
        return Response(PersonSerializer(person).data)


class SignInLinkSerializer(serializers.Serializer[Any]):
    link = serializers.CharField(help_text="Signs the person in once, within 24 hours. Shown once.")


class SignInLinks(Endpoint):
    needs = access.OPERATOR

    @extend_schema(summary="Make a one-time sign-in link", request=None, responses={201: SignInLinkSerializer})
    def post(self, request: Any, pk: uuid.UUID) -> Response:
        self.ask_again("make a link that signs somebody in", of_keys_too=True)
        _, token = sign_in.make_sign_in_link(actor=self.actor, user=access.person_for(self.caller, pk))
        return Response({"link": f"{settings.BASE_URL}/sign-in/{token}/"}, status=201)


urlpatterns = [
    path("people/", People.as_view(), name="people"),
    path("people/<uuid:pk>/", OnePerson.as_view(), name="person"),
    path("people/<uuid:pk>/sign-in-link/", SignInLinks.as_view(), name="sign_in_link"),
]
