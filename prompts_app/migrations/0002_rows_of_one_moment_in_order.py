from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("prompts", "0001_initial"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="review",
            options={"ordering": ["-requested_at", "-id"]},
        ),
        migrations.AlterModelOptions(
            name="reviewcomment",
            options={"ordering": ["created_at", "id"]},
        ),
    ]
