"""The connected repository of prompts."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from console.api.manage.base import Endpoint, Strict, listed, seen_revision
from console.core.errors import Conflict, NotFound
from console.teams.access import OPERATOR
from prompts_app.git import remotes, sync
from prompts_app.git.models import GitRemote, GitSync


class GitSyncSerializer(serializers.ModelSerializer[GitSync]):
    class Meta:
        model = GitSync
        fields = [
            "id", "kind", "source", "actor_name", "started_at", "ended_at", "outcome", "sentence", "imported",
            "exported", "labels", "conflicts", "problems",
        ]  # fmt: skip


class GitRemoteSerializer(serializers.ModelSerializer[GitRemote]):
    last_sync = serializers.SerializerMethodField()

    class Meta:
        model = GitRemote
        fields = [
            "address", "branch", "username", "has_credential", "host_key", "syncs_on_publish", "every_minutes",
            "revision", "wanted_at", "claimed_at", "connected_at", "last_sync",
        ]  # fmt: skip

    def get_last_sync(self, _: GitRemote) -> dict[str, Any] | None:
        last = GitSync.objects.filter(kind=GitSync.Kind.SYNC).first()
        return dict(GitSyncSerializer(last).data) if last else None


class GitChangeSerializer(Strict):
    address = serializers.CharField(max_length=500, required=False, help_text="Another host takes the credential away.")
    branch = serializers.CharField(max_length=100, required=False)
    username = serializers.CharField(max_length=100, required=False, allow_blank=True)
    credential = serializers.CharField(
        max_length=20_000, required=False, allow_blank=True, help_text="Encrypted; never returned. Empty removes it."
    )
    host_key = serializers.CharField(max_length=4000, required=False, allow_blank=True)
    syncs_on_publish = serializers.BooleanField(required=False)
    every_minutes = serializers.IntegerField(required=False, min_value=0, max_value=10_080)
    seen_revision = seen_revision()


class GitTestSerializer(serializers.Serializer[Any]):
    is_ok = serializers.BooleanField()
    sentence = serializers.CharField()


class GitSyncNowSerializer(Strict):
    take = serializers.ListField(child=serializers.CharField(), default=list, help_text="Conflicts: git's text wins.")
    keep = serializers.ListField(
        child=serializers.CharField(), default=list, help_text="Conflicts: the console's wins."
    )


class Git(Endpoint):
    needs = OPERATOR

    @extend_schema(summary="Show the connected repository", responses=GitRemoteSerializer)
    def get(self, request: Any) -> Response:
        return Response(GitRemoteSerializer(self._remote()).data)

    @extend_schema(
        summary="Connect a repository, or change the connected one",
        request=GitChangeSerializer,
        responses=GitRemoteSerializer,
    )
    def patch(self, request: Any) -> Response:
        body = self.read(GitChangeSerializer)
        if remotes.connected() is None:
            body.setdefault("address", "")
            return Response(GitRemoteSerializer(remotes.connect(actor=self.actor, **body)).data, status=201)
        return Response(GitRemoteSerializer(remotes.change(actor=self.actor, **body)).data)

    @extend_schema(summary="Disconnect the repository", responses={204: None})
    def delete(self, request: Any) -> Response:
        self._remote()
        remotes.disconnect(actor=self.actor)
        return Response(status=204)

    def _remote(self) -> GitRemote:
        remote = remotes.connected()
        if remote is None:
            raise NotFound("No repository is connected.")
        return remote


class GitTest(Endpoint):
    needs = OPERATOR
    calls_out = True

    @extend_schema(summary="Ask the repository for its branch", request=None, responses=GitTestSerializer)
    def post(self, request: Any) -> Response:
        is_ok, sentence = sync.check(actor=self.actor)
        return Response(GitTestSerializer({"is_ok": is_ok, "sentence": sentence}).data)


class GitSyncNow(Endpoint):
    needs = OPERATOR
    calls_out = True

    @extend_schema(
        summary="Exchange with the repository now",
        request=GitSyncNowSerializer,
        responses=GitSyncSerializer,
    )
    def post(self, request: Any) -> Response:
        done = sync.sync(actor=self.actor, **self.read(GitSyncNowSerializer))
        if done is None:
            raise Conflict("No repository is connected, or a sync is under way; try again in a moment.")
        return Response(GitSyncSerializer(done).data)


class GitSyncs(Endpoint):
    needs = OPERATOR

    @extend_schema(
        operation_id="list_prompts_git_syncs", summary="List exchanges, newest first",
        responses=listed(GitSyncSerializer),
    )  # fmt: skip
    def get(self, request: Any) -> Response:
        return self.page(GitSync.objects.all(), GitSyncSerializer)
