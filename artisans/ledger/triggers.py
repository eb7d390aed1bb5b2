"""The ledger's rules in the database, beside those of append-only tables: entries balance, and closed months stay.

Postings are inserted first and their entry last. The entry's trigger checks that they sum to zero, and the postings'
trigger refuses one whose entry exists. A posting without an entry fails at commit by its deferred foreign key. On
PostgreSQL two transactions can insert postings of one entry without seeing each other's; a deferred constraint trigger
therefore sums them once more at commit.

A changed rule needs a new name, because triggers that exist are not replaced.
"""

ENTRY, POSTING, PERIOD = "ledger_ledgerentry", "ledger_ledgerposting", "ledger_ledgerperiod"

SUMS = "SELECT 1 FROM ledger_ledgerposting WHERE entry_id = ENTRY GROUP BY currency HAVING SUM(amount_minor) <> 0"
UNBALANCED = f"EXISTS ({SUMS})"
FEW = "(SELECT COUNT(*) FROM ledger_ledgerposting WHERE entry_id = ENTRY) < 2"

RULES = {  # name: table, condition that refuses the insert, message
    "balanced": (
        ENTRY,
        f"{FEW} OR {UNBALANCED}".replace("ENTRY", "NEW.id"),
        "the postings of an entry must sum to zero",
    ),
    "open": (
        ENTRY,
        "EXISTS (SELECT 1 FROM ledger_ledgerperiod WHERE last_day >= NEW.booked_on)",
        "the month of this day is closed",
    ),
    "unsealed": (
        POSTING,
        "EXISTS (SELECT 1 FROM ledger_ledgerentry WHERE id = NEW.entry_id)",
        "no posting can be added to an entry",
    ),
    "currency": (
        POSTING,
        "NOT EXISTS (SELECT 1 FROM ledger_ledgeraccount WHERE id = NEW.account_id AND currency = NEW.currency)",
        "the currency of a posting must be that of its account",
    ),
    "next": (
        PERIOD,
        "EXISTS (SELECT 1 FROM ledger_ledgerperiod)"
        " AND NEW.first_day <> (SELECT MAX(open_from) FROM ledger_ledgerperiod)",
        "a period begins the day after the last closed one",
    ),
}


def of_table(table: str, vendor: str) -> dict[str, str]:
    """SQL of the triggers of one table, by name."""
    return {
        f"{table}_{name}": create_trigger(f"{table}_{name}", table, condition, message, vendor)
        for name, (on, condition, message) in RULES.items()
        if on == table
    }


def create_trigger(name: str, table: str, condition: str, message: str, vendor: str) -> str:
    if vendor != "postgresql":
        return (
            f'CREATE TRIGGER "{name}" BEFORE INSERT ON "{table}" WHEN {condition} '
            f"BEGIN SELECT RAISE(ABORT, '{message}'); END"
        )
    return f"""{create_function(name, condition, message)};
        CREATE TRIGGER "{name}" BEFORE INSERT ON "{table}" FOR EACH ROW EXECUTE FUNCTION {name}()"""


def create_function(name: str, condition: str, message: str) -> str:
    return f"""
        CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF {condition} THEN
                RAISE EXCEPTION '{message}' USING ERRCODE = 'integrity_constraint_violation';
            END IF;
            RETURN NEW;
        END $$"""


def of_entry(vendor: str) -> dict[str, str]:
    return of_table(ENTRY, vendor)


def of_period(vendor: str) -> dict[str, str]:
    return of_table(PERIOD, vendor)


def of_posting(vendor: str) -> dict[str, str]:
    found = of_table(POSTING, vendor)
    if vendor == "postgresql":
        name = f"{POSTING}_committed"
        function = create_function(name, UNBALANCED.replace("ENTRY", "NEW.entry_id"), RULES["balanced"][2])
        found[name] = f"""{function};
            CREATE CONSTRAINT TRIGGER "{name}" AFTER INSERT ON "{POSTING}" DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION {name}()"""
    return found
