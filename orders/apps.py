from django.apps import AppConfig


class OrdersConfig(AppConfig):
    name = "orders"

    def ready(self) -> None:
        from artisans.core.metrics import SOURCES
        from artisans.core.retention import register_rules
        from artisans.core.web.health import REPORTS
        from artisans.notifications import kinds
        from artisans.notifications.rendering import FACT_BUILDERS, LINK_BUILDERS, SHARED_CONTEXT
        from artisans.notifications.selectors import ORDER_SEARCHES
        from artisans.regions.choice import SERVES_COUNTRY
        from artisans.regions.currencies import BASE_CURRENCY
        from orders import checks, invariants, personal_data  # noqa: F401  # each registers itself
        from orders.approvals import kinds_register
        from orders.mails import OrderMail, parcel_url, shipping_methods, store_context, tracking_url
        from orders.metrics import order_metrics
        from orders.quoting import serves_country
        from orders.retention import HELD_LINES
        from orders.selectors import currency_of_store, orders_containing_newest, store_rules

        BASE_CURRENCY.append(currency_of_store)
        SERVES_COUNTRY.append(serves_country)
        SHARED_CONTEXT.append(lambda: {"store": store_context(store_rules())})
        kinds.register(OrderMail)
        LINK_BUILDERS["parcel_url"] = parcel_url
        LINK_BUILDERS["tracking_url"] = tracking_url
        FACT_BUILDERS["shipping_methods"] = shipping_methods
        ORDER_SEARCHES.append(
            lambda term: orders_containing_newest(term).values_list("order_number", flat=True)
        )
        kinds_register()
        register_rules(HELD_LINES)
        SOURCES["orders"] = order_metrics
        REPORTS["shop"] = lambda: "ok" if store_rules().is_open else "not taking orders yet"
