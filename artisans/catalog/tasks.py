from uuid import UUID

from celery import shared_task

from artisans.catalog.pictures import (
    files_delete_orphaned,
    picture_prepare,
    pictures_due,
    product_catch_up,
    products_left_behind,
)
from artisans.catalog.search_index import search_index_refresh
from artisans.catalog.stock_import import TASK, imports_running, stock_import_continue
from artisans.core.queue import one_at_a_time, run_each

PREPARE_SECONDS, FOLLOW_SECONDS = 120, 60  # of a periodic run


@shared_task(name="catalog.search_index_refresh")
def refresh_search_index() -> int:
    """What was written past the application (bulk updates, an older release during a deployment)."""
    return search_index_refresh()


@shared_task(name="catalog.prepare_picture")
def prepare_picture(picture_id: str) -> None:
    """As soon as it was uploaded; if that fails, `prepare_due_pictures` comes to it."""
    run_each([UUID(picture_id)], picture_prepare, event="picture_not_prepared")


@shared_task(name="catalog.prepare_due_pictures")
@one_at_a_time
def prepare_due_pictures() -> None:
    """Periodic: what no worker has finished."""
    run_each(pictures_due(), picture_prepare, event="picture_not_prepared", seconds=PREPARE_SECONDS)


@shared_task(name="catalog.follow_products")
@one_at_a_time
def follow_products() -> None:
    """Periodic: what release 0.1.0 changes of a product while an upgrade replaces it."""
    run_each(products_left_behind(), product_catch_up, event="product_not_followed", seconds=FOLLOW_SECONDS)


@shared_task(name="catalog.sweep_picture_files")
def delete_orphaned_picture_files() -> int:
    """Periodic: files that no row names."""
    return files_delete_orphaned()


@shared_task(name=TASK)
def continue_stock_import(import_id: str) -> bool:
    return stock_import_continue(UUID(import_id))


@shared_task(name="catalog.continue_stock_imports")
@one_at_a_time
def continue_stock_imports() -> None:
    """Periodic: imports whose worker was stopped."""
    run_each(imports_running(), stock_import_continue, event="stock_import_failed", seconds=60)
