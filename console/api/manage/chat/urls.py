"""URLs of conversations in the management API."""

from django.urls import path

from console.api.manage.chat import conversations, messages

urlpatterns = [
    path("conversations/", conversations.Conversations.as_view(), name="conversations"),
    path("conversations/<uuid:pk>/", conversations.OneConversation.as_view(), name="conversation"),
    path("conversations/<uuid:pk>/messages/", conversations.Messages.as_view(), name="messages"),
    path("conversations/<uuid:pk>/export/", conversations.Export.as_view(), name="export_conversation"),
    path("messages/<uuid:pk>/", messages.OneMessage.as_view(), name="message"),
    path("messages/<uuid:pk>/files/<int:place>/", messages.File.as_view(), name="file_of_message"),
    path("messages/<uuid:pk>/stop/", messages.Stop.as_view(), name="stop_answer"),
    path("messages/<uuid:pk>/again/", messages.Again.as_view(), name="regenerate_answer"),
    path("messages/<uuid:pk>/edit/", messages.Edit.as_view(), name="edit_message"),
    path("messages/<uuid:pk>/show/", messages.Show.as_view(), name="show_branch"),
    path("messages/<uuid:pk>/feedback/", messages.AnswerFeedback.as_view(), name="feedback"),
]
