"""Values of options and SKUs are unique; existing rows satisfy the checks of products."""

from django.db import migrations, models

from artisans.core.index_operations import ValidateCheck


class Migration(migrations.Migration):

    dependencies = [
        ('catalog', '0008_product_variants'),
    ]

    operations = [
        migrations.AddConstraint(
            model_name='product',
            constraint=models.UniqueConstraint(condition=models.Q(('parent__isnull', False)), fields=('parent', 'option_1', 'option_2', 'option_3'), name='product_options_unique_in_parent'),
        ),
        migrations.AddConstraint(
            model_name='product',
            constraint=models.UniqueConstraint(condition=models.Q(('sku', ''), _negated=True), fields=('artisan', 'sku'), name='product_sku_unique_in_artisan'),
        ),
        ValidateCheck('product', 'product_archived_is_not_published'),
        ValidateCheck('product', 'product_lead_days_in_range'),
        ValidateCheck('product', 'product_not_variant_of_itself'),
        ValidateCheck('product', 'product_variant_has_option'),
        ValidateCheck('product', 'product_options_without_gaps'),
    ]
