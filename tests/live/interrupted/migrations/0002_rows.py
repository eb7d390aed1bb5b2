from django.db import migrations

from artisans.core.index_operations import RunInBatches

CHANGE = """
UPDATE interrupted_row SET changed = changed + 1
WHERE id IN ({keys}) AND pg_sleep(0.3) IS NOT NULL
"""


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("interrupted", "0001_index")]
    operations = [RunInBatches("interrupted_row", where="changed = 0", sql=CHANGE, size=1)]
