"""The floor: the least that Django and PostgreSQL must do to place such an order, as a project of its own.

It authenticates as the shop does, locks and takes the stock, and writes the same rows: order, parcels, lines,
stock moves, payment, both histories, the mail. Nothing else: no tax, no ration, no state table, no problem list.
"""
