"""Indexes of the better fields on PostgreSQL, so that the best matches of a frequent word are found without reading all.

The column `heading` of 0002 is no longer used; it stays for the release before.
"""

from django.db import migrations

CREATE = """
CREATE INDEX search_document_title ON catalog_searchdocument USING gin ((title::tsvector));
CREATE INDEX search_document_heading ON catalog_searchdocument USING gin (((title || labels)::tsvector));
ANALYZE catalog_searchdocument;
"""
DROP = "DROP INDEX search_document_title; DROP INDEX search_document_heading;"


def create_indexes(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(CREATE)


def drop_indexes(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(DROP)


class Migration(migrations.Migration):

    dependencies = [
        ('catalog', '0002_search'),
    ]

    operations = [
        migrations.RunPython(create_indexes, drop_indexes),
    ]
