from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("prompts", "0002_rows_of_one_moment_in_order"),
    ]

    operations = [
        migrations.AddField(
            model_name="review",
            name="requested_by_key_id",
            field=models.UUIDField(help_text="Of a key's: whoever answers for it by now asked too.", null=True),
        ),
    ]
