"""Indexes of the better fields on PostgreSQL, so that the best matches of a frequent word are found without reading all.

The column `heading` of 0002 is no longer used; it stays for the release before.
"""

from django.db import migrations

from artisans.core.index_operations import AddPostgresIndex


def analyze(apps, schema_editor):
    """Without statistics of the expressions, the indexes would not be used until autovacuum comes."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("ANALYZE catalog_searchdocument")


class Migration(migrations.Migration):

    atomic = False
    dependencies = [
        ('catalog', '0002_search'),
    ]

    operations = [
        AddPostgresIndex("search_document_title", "catalog_searchdocument USING gin ((title::tsvector))"),
        AddPostgresIndex("search_document_heading", "catalog_searchdocument USING gin (((title || labels)::tsvector))"),
        migrations.RunPython(analyze, migrations.RunPython.noop),
    ]
