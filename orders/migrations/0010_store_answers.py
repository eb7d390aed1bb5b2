from django.db import migrations, models

import orders.models


def answered(apps, schema_editor):
    """A store that has rules already works by them."""
    apps.get_model("orders", "StoreRules").objects.update(tax_is_set=True, shipping_is_set=True)


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0009_payment_withdrawn"),
    ]

    operations = [
        migrations.AddField(
            model_name="storerules",
            name="tax_is_set",
            field=models.BooleanField(db_default=False, default=False, editable=False),
        ),
        migrations.AddField(
            model_name="storerules",
            name="shipping_is_set",
            field=models.BooleanField(db_default=False, default=False, editable=False),
        ),
        migrations.AlterField(
            model_name="storerules",
            name="country",
            field=models.CharField(
                default="US",
                help_text="ISO 3166-1, two letters.",
                max_length=2,
                validators=[orders.models.validate_country],
            ),
        ),
        migrations.AlterField(
            model_name="storerules",
            name="currency",
            field=models.CharField(
                default="USD", max_length=3, validators=[orders.models.validate_currency]
            ),
        ),
        migrations.RunPython(answered, migrations.RunPython.noop),
    ]
