"""Search documents with the full-text index of each database, and the documents of the products that exist."""

import django.db.models.deletion
from django.core.management.base import CommandError
from django.db import DatabaseError, migrations, models, transaction

from artisans.catalog.search_index import best_fields, chunks, document_columns, document_terms, terms_add

# Terms are "a b ", so that "a:1A b:1A " is a tsvector without asking a parser. `vector` has all terms and the index;
# `heading` is small, to rank many products quickly.
POSTGRESQL = """
ALTER TABLE catalog_searchdocument
    ADD COLUMN vector tsvector GENERATED ALWAYS AS ((title || labels || description)::tsvector) STORED,
    ADD COLUMN heading tsvector GENERATED ALWAYS AS (
        replace(title, ' ', ':1A ')::tsvector || replace(labels, ' ', ':1B ')::tsvector
    ) STORED;
CREATE INDEX search_document_vector ON catalog_searchdocument USING gin (vector);
CREATE INDEX search_term_trigrams ON catalog_searchterm USING gin (term gin_trgm_ops);
"""
# The index keeps no copy of the texts; triggers make it follow them. Terms have no other ASCII than letters and digits.
REMOVE = """
    INSERT INTO catalog_searchtext (catalog_searchtext, rowid, title, labels, description)
        VALUES ('delete', old.id, old.title, old.labels, old.description);"""
ADD = """
    INSERT INTO catalog_searchtext (rowid, title, labels, description)
        VALUES (new.id, new.title, new.labels, new.description);"""
SQLITE = (
    """CREATE VIRTUAL TABLE catalog_searchtext USING fts5(
        title, labels, description,
        content='catalog_searchdocument', content_rowid='id', tokenize='ascii', detail='column'
    )""",
    f"CREATE TRIGGER search_document_added AFTER INSERT ON catalog_searchdocument BEGIN {ADD} END",
    f"CREATE TRIGGER search_document_removed AFTER DELETE ON catalog_searchdocument BEGIN {REMOVE} END",
    f"CREATE TRIGGER search_document_changed AFTER UPDATE ON catalog_searchdocument BEGIN {REMOVE}{ADD} END",
)
REFUSED = (
    "PostgreSQL cannot create the extension pg_trgm ({reason}): have a superuser run `CREATE EXTENSION pg_trgm;` in "
    "this database, then run `migrate` again."
)


def create_indexes(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        if schema_editor.connection.vendor == "postgresql":
            create_extension(cursor, schema_editor.connection.alias)
            cursor.execute(POSTGRESQL)
        else:
            for statement in SQLITE:
                cursor.execute(statement)


def create_extension(cursor, alias):
    try:
        with transaction.atomic(using=alias):
            cursor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    except DatabaseError as error:
        reason = str(error).splitlines()[0]
        raise CommandError(REFUSED.format(reason=reason)) from error


def drop_indexes(apps, schema_editor):
    """The extension stays: others may use it."""
    if schema_editor.connection.vendor != "postgresql":
        schema_editor.execute("DROP TABLE catalog_searchtext")


def write_documents(apps, schema_editor):
    product, document = apps.get_model("catalog", "Product"), apps.get_model("catalog", "SearchDocument")
    known = {}
    for keys in chunks(list(product.objects.order_by("pk").values_list("pk", flat=True))):
        rows = product.objects.filter(pk__gte=keys[0], pk__lte=keys[-1]).select_related("artisan", "category")
        terms = {row.pk: document_terms(row) for row in rows}
        document.objects.bulk_create(document(product_id=pk, **document_columns(terms[pk])) for pk in terms)
        terms_add(best_fields(terms.values()), known, apps.get_model("catalog", "SearchTerm"))


class Migration(migrations.Migration):

    dependencies = [
        ('catalog', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='SearchTerm',
            fields=[
                ('term', models.CharField(max_length=40, primary_key=True, serialize=False)),
                ('word', models.CharField(max_length=40)),
                ('field', models.PositiveSmallIntegerField()),
            ],
            options={
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='SearchDocument',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('title', models.TextField(blank=True)),
                ('labels', models.TextField(blank=True)),
                ('description', models.TextField(blank=True)),
                ('product', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='search_document', to='catalog.product')),
            ],
            options={
                'default_permissions': (),
            },
        ),
        migrations.RunPython(create_indexes, drop_indexes),
        migrations.RunPython(write_documents, migrations.RunPython.noop),
    ]
