"""Indexes for the search of users and email addresses in the admin."""

from django.db import migrations

from artisans.core.index_operations import AddPostgresIndex


class Migration(migrations.Migration):

    atomic = False
    dependencies = [
        ('account', '0009_emailaddress_unique_primary_email'),
        ('accounts', '0002_addresses_forgotten'),
        ('catalog', '0002_search'),  # the extension pg_trgm
    ]

    operations = [
        AddPostgresIndex(
            "user_text",
            "accounts_user USING gin (UPPER((COALESCE(email, '') || COALESCE((COALESCE(' ', '') || "
            "COALESCE(name, '')), ''))) gin_trgm_ops)",
        ),
        AddPostgresIndex("address_email", "account_emailaddress USING gin (UPPER(email::text) gin_trgm_ops)"),
    ]
