"""The baseline: the minimum that Django and PostgreSQL need to place such an order, as a separate project.

It authenticates as the shop does, locks and takes the stock, and writes the same rows: order, parcels, lines, stock
movements, payment, both histories, the email. Nothing else: no tax, limits, state transitions or cart problems.
"""
