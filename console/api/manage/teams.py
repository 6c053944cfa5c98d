"""The caller; teams, members and invitations."""

import uuid
from typing import Any

from django.http import Http404
from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from console.api.manage.base import Endpoint, Strict, listed, seen_revision
from console.core.errors import NotAllowed
from console.teams import access
from console.teams.callers import Caller, caller_for_session
from console.teams.models import Invitation, Membership, Role, Team
from console.teams.roles import ALL_RIGHTS
from console.teams.services import invitations, teams
from console.teams.services.profile import change_profile


class TeamSerializer(serializers.ModelSerializer[Team]):
    class Meta:
        model = Team
        fields = ["id", "slug", "name", "colour", "requires_two_factor", "revision", "is_demo", "created_at"]


class NewTeamSerializer(Strict):
    name = serializers.CharField(max_length=120)
    slug = serializers.SlugField(max_length=60)


class TeamChangeSerializer(Strict):
    name = serializers.CharField(max_length=120, required=False)
    requires_two_factor = serializers.BooleanField(required=False)
    seen_revision = seen_revision()


class MemberSerializer(serializers.ModelSerializer[Membership]):
    email = serializers.EmailField(source="user.email")
    name = serializers.CharField(source="user.name")
    user_id = serializers.UUIDField()

    class Meta:
        model = Membership
        fields = ["id", "user_id", "email", "name", "role", "created_at"]


class RoleSerializer(Strict):
    role = serializers.ChoiceField(choices=Role.choices)


class MemberRemovalSerializer(Strict):
    hand_keys_to = serializers.UUIDField(
        required=False, help_text="A member's user_id who answers for the keys from now on."
    )


class InvitationSerializer(serializers.ModelSerializer[Invitation]):
    class Meta:
        model = Invitation
        fields = ["id", "email", "role", "created_at", "expires_at", "accepted_at", "revoked_at"]


class NewInvitationSerializer(Strict):
    email = serializers.EmailField(max_length=254)
    role = serializers.ChoiceField(choices=Role.choices)


class SentInvitationSerializer(InvitationSerializer):
    link = serializers.CharField(help_text="Shown once; the mail holds it too.")

    class Meta(InvitationSerializer.Meta):
        fields = [*InvitationSerializer.Meta.fields, "link"]


class MeSerializer(serializers.Serializer[Any]):
    kind = serializers.CharField(help_text="user or key")
    id = serializers.UUIDField()
    name = serializers.CharField()
    is_operator = serializers.BooleanField()
    teams = serializers.DictField(help_text="Rights by team slug.")
    shortcuts_enabled = serializers.BooleanField(allow_null=True, help_text="Of a person; null for a key.")


class MeChangeSerializer(Strict):
    name = serializers.CharField(
        max_length=120, required=False, allow_blank=True, help_text="Empty: the e-mail address."
    )
    shortcuts_enabled = serializers.BooleanField(required=False, help_text="Whether single letters act.")


class Me(Endpoint):
    needs = access.SIGNED_IN

    @extend_schema(summary="Who is calling, and what they may do", responses=MeSerializer)
    def get(self, request: Any) -> Response:
        return self.answer(self.caller)

    @extend_schema(summary="Change one's own profile", request=MeChangeSerializer, responses=MeSerializer)
    def patch(self, request: Any) -> Response:
        person = self.caller.user
        if person is None:
            raise NotAllowed("Only a person has a profile; a key has none.", code="person_required")
        change_profile(actor=self.actor, user=person, **self.read(MeChangeSerializer))
        return self.answer(caller_for_session(request._request))

    def answer(self, caller: Caller) -> Response:
        named = {team.pk: team.slug for team in access.teams_for(caller)}
        rights = {slug: [right for right in sorted(ALL_RIGHTS) if caller.may(right, pk)] for pk, slug in named.items()}
        actor = caller.actor
        content = {
            "kind": actor.kind,
            "id": actor.id,
            "name": actor.name,
            "is_operator": caller.is_operator,
            "teams": rights,
            "shortcuts_enabled": caller.user.shortcuts_enabled if caller.user else None,
        }
        return Response(MeSerializer(content).data)


class Teams(Endpoint):
    needs, needs_to = access.SIGNED_IN, {"POST": access.OPERATOR}

    @extend_schema(operation_id="list_teams", summary="List teams", responses=listed(TeamSerializer))
    def get(self, request: Any) -> Response:
        return self.page(access.teams_for(self.caller), TeamSerializer)

    @extend_schema(summary="Create a team", request=NewTeamSerializer, responses={201: TeamSerializer})
    def post(self, request: Any) -> Response:
        team = teams.create_team(actor=self.actor, **self.read(NewTeamSerializer))
        return Response(TeamSerializer(team).data, status=201)


class OneTeam(Endpoint):
    needs, needs_to = "view_team", {"PATCH": "manage_team", "DELETE": access.OPERATOR}

    @extend_schema(summary="Show a team", responses=TeamSerializer)
    def get(self, request: Any, slug: str) -> Response:
        return Response(TeamSerializer(access.team_for(self.caller, slug)).data)

    @extend_schema(summary="Change a team", request=TeamChangeSerializer, responses=TeamSerializer)
    def patch(self, request: Any, slug: str) -> Response:
        team = access.team_for(self.caller, slug, to="manage_team")
        body = self.read(TeamChangeSerializer)
        team = teams.change_team(actor=self.actor, team=team, **body)
        return Response(TeamSerializer(team).data)

    @extend_schema(summary="Archive a team; its keys stop at once", responses={204: None})
    def delete(self, request: Any, slug: str) -> Response:
        teams.archive_team(actor=self.actor, team=access.team_for(self.caller, slug))
        return Response(status=204)


class Members(Endpoint):
    needs = "view_team"

    @extend_schema(operation_id="list_members", summary="List members", responses=listed(MemberSerializer))
    def get(self, request: Any, slug: str) -> Response:
        team = access.team_for(self.caller, slug)
        return self.page(Membership.objects.filter(team=team).select_related("user"), MemberSerializer)


class OneMember(Endpoint):
    needs, needs_to = "view_team", {"PATCH": "manage_members"}

    def _member(self, slug: str, pk: uuid.UUID, to: str) -> Membership:
        return access.member_for(access.team_for(self.caller, slug, to=to), pk)

    @extend_schema(summary="Show a member", responses=MemberSerializer)
    def get(self, request: Any, slug: str, pk: uuid.UUID) -> Response:
        return Response(MemberSerializer(self._member(slug, pk, "view_team")).data)

    @extend_schema(summary="Give a member another role", request=RoleSerializer, responses=MemberSerializer)
    def patch(self, request: Any, slug: str, pk: uuid.UUID) -> Response:
        member = self._member(slug, pk, "manage_members")
        member = teams.change_role(actor=self.actor, membership=member, role=self.read(RoleSerializer)["role"])
        return Response(MemberSerializer(member).data)

    @extend_schema(
        summary="Remove a member, or leave; keys of who goes stop unless handed over",
        request=MemberRemovalSerializer,
        responses={204: None},
    )
    def delete(self, request: Any, slug: str, pk: uuid.UUID) -> Response:
        member = access.member_to_remove(self.caller, access.team_for(self.caller, slug), pk)
        to = self.read(MemberRemovalSerializer).get("hand_keys_to") if request.data else None
        heir = Membership.objects.filter(team=member.team, user_id=to).select_related("user").first() if to else None
        if to and heir is None:
            raise Http404("There is no such member to hand the keys to.")
        teams.remove_member(actor=self.actor, membership=member, hand_keys_to=heir.user if heir else None)
        return Response(status=204)


class Invitations(Endpoint):
    needs = "manage_members"

    @extend_schema(operation_id="list_invitations", summary="List invitations", responses=listed(InvitationSerializer))
    def get(self, request: Any, slug: str) -> Response:
        team = access.team_for(self.caller, slug, to="manage_members")
        return self.page(Invitation.objects.filter(team=team), InvitationSerializer)

    @extend_schema(
        summary="Invite somebody",
        request=NewInvitationSerializer,
        responses={201: SentInvitationSerializer},
    )
    def post(self, request: Any, slug: str) -> Response:
        team = access.team_for(self.caller, slug, to="manage_members")
        invitation, token = invitations.invite(actor=self.actor, team=team, **self.read(NewInvitationSerializer))
        invitation.link = invitations.link_to(token)  # type: ignore[attr-defined]
        return Response(SentInvitationSerializer(invitation).data, status=201)


class OneInvitation(Endpoint):
    needs = "manage_members"

    def _invitation(self, slug: str, pk: uuid.UUID) -> Invitation:
        return access.invitation_for(access.team_for(self.caller, slug, to="manage_members"), pk)

    @extend_schema(
        operation_id="resend_invitation",
        summary="Send an invitation again, with a new link",
        request=None,
        responses=SentInvitationSerializer,
    )
    def post(self, request: Any, slug: str, pk: uuid.UUID) -> Response:
        invitation, token = invitations.resend_invitation(actor=self.actor, invitation=self._invitation(slug, pk))
        invitation.link = invitations.link_to(token)  # type: ignore[attr-defined]
        return Response(SentInvitationSerializer(invitation).data)

    @extend_schema(summary="Revoke an invitation", responses={204: None})
    def delete(self, request: Any, slug: str, pk: uuid.UUID) -> Response:
        invitations.revoke_invitation(actor=self.actor, invitation=self._invitation(slug, pk))
        return Response(status=204)


urlpatterns = [
    path("me/", Me.as_view(), name="me"),
    path("teams/", Teams.as_view(), name="teams"),
    path("teams/<slug:slug>/", OneTeam.as_view(), name="team"),
    path("teams/<slug:slug>/members/", Members.as_view(), name="members"),
    path("teams/<slug:slug>/members/<uuid:pk>/", OneMember.as_view(), name="member"),
    path("teams/<slug:slug>/invitations/", Invitations.as_view(), name="invitations"),
    path("teams/<slug:slug>/invitations/<uuid:pk>/", OneInvitation.as_view(), name="invitation"),
]
