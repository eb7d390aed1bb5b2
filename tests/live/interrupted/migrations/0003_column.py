from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("interrupted", "0002_rows")]
    operations = [migrations.RunSQL("ALTER TABLE interrupted_row ADD COLUMN late integer")]
