"""Whoever may see payments may see figures, added to the roles of staff."""

from payments.roles import ROLES

VIEW_METRICS = "figures.view_metrics"


def roles_extend() -> None:
    for name, codes in ROLES.items():
        if "payments.view_payment" in codes and VIEW_METRICS not in codes:
            ROLES[name] = (*codes, VIEW_METRICS)
