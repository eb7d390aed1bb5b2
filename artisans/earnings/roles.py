"""Permissions about artisans' money, added to the roles of staff."""

from payments.roles import ROLES

ADDED = {
    "Artisans’ money": (
        "earnings.view_hold",
        "earnings.change_holds",
        "earnings.view_debt",
        "earnings.view_settlement",
        "earnings.settle_debts",
        "earnings.write_off_debts",
        "approvals.view_approvalrequest",
    ),
    "Bookkeeping": ("earnings.view_hold", "earnings.view_debt", "earnings.view_settlement"),
    "Auditors": ("earnings.view_hold", "earnings.view_debt", "earnings.view_settlement"),
}


def roles_extend() -> None:
    for name, codes in ADDED.items():
        ROLES[name] = tuple(dict.fromkeys((*ROLES.get(name, ()), *codes)))
