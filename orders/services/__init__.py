"""All changes to an order's state. Callers hold the order's lock (order_lock) inside a transaction."""
