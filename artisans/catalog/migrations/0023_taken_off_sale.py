"""Products that staff took off sale, the low-stock number of an artisan, and plainer words for causes."""

from django.db import migrations, models

from artisans.core.index_operations import AddCheck


class Migration(migrations.Migration):

    dependencies = [
        ('catalog', '0022_products_by_material'),
    ]

    operations = [
        migrations.AddField(
            model_name='artisan',
            name='low_stock',
            field=models.PositiveIntegerField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='product',
            name='off_sale_reason',
            field=models.CharField(blank=True, db_default='', default='', editable=False, max_length=300),
        ),
        migrations.AlterField(
            model_name='stockimport',
            name='cause',
            field=models.CharField(choices=[('counted', 'Counted'), ('made', 'New items made'), ('sold', 'Sold elsewhere'), ('damaged', 'Damaged'), ('lost', 'Lost'), ('returned', 'Returned items')], max_length=8),
        ),
        migrations.AlterField(
            model_name='stockmove',
            name='cause',
            field=models.CharField(blank=True, choices=[('counted', 'Counted'), ('made', 'New items made'), ('sold', 'Sold elsewhere'), ('damaged', 'Damaged'), ('lost', 'Lost'), ('returned', 'Returned items')], db_default='', default='', max_length=8),
        ),
        AddCheck(
            model_name='product',
            constraint=models.CheckConstraint(condition=models.Q(('off_sale_reason', ''), ('is_active', False), _connector='OR'), name='product_taken_off_is_not_published'),
        ),
    ]
