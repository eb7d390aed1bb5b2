from celery import shared_task

from artisans.catalog.search_index import search_index_refresh


@shared_task(name="catalog.search_index_refresh")
def refresh_search_index() -> int:
    """What was written past the application (bulk updates, an older release during a deployment)."""
    return search_index_refresh()
