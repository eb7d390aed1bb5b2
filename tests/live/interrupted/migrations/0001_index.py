from django.db import migrations

from artisans.core.index_operations import AddPostgresIndex


class Migration(migrations.Migration):
    atomic = False
    operations = [AddPostgresIndex("interrupted_index", "interrupted_row (changed)")]
