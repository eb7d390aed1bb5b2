from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from artisans.core.append_only import TriggeredModel

MAX_LEVELS = 3

# Of a category that becomes part of another: refused if that one is, or if what is above it, itself and its own parts
# are more than three levels.
TOO_DEEP = """EXISTS (
    SELECT 1 FROM catalog_category AS above WHERE above.id = NEW.parent_id AND (
        above.parent_id = NEW.id
        OR (SELECT parent_id FROM catalog_category AS top WHERE top.id = above.parent_id) IS NOT NULL
        OR above.parent_id IS NOT NULL
            AND EXISTS (SELECT 1 FROM catalog_category AS part WHERE part.parent_id = NEW.id)
        OR EXISTS (
            SELECT 1 FROM catalog_category AS part JOIN catalog_category AS last ON last.parent_id = part.id
            WHERE part.parent_id = NEW.id
        )
    )
)"""
MESSAGE = "categories have at most three levels, and none is part of itself"
POSTGRES_TREE = f"""
CREATE OR REPLACE FUNCTION catalog_category_tree() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM catalog_category ORDER BY id FOR NO KEY UPDATE;  -- who changes the tree at once waits
    IF {TOO_DEEP} THEN
        RAISE EXCEPTION '{MESSAGE}' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
"""  # names of our own


def tree_trigger(name: str, event: str, vendor: str) -> str:
    head = f"CREATE TRIGGER {name} BEFORE {event} ON catalog_category"
    if vendor == "postgresql":
        call = "FOR EACH ROW EXECUTE FUNCTION catalog_category_tree()"
        return f"{POSTGRES_TREE} {head} {call}"  # not for translation
    return f"{head} WHEN {TOO_DEEP} BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END"


class Category(TriggeredModel):
    """A group of products. One that is part of another (`parent`) shows its products there too.

    There are at most MAX_LEVELS levels, and no category contains itself: `categories.py` explains it to people, and
    triggers refuse the rest. `position` orders the categories with the same parent.
    """

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=60, unique=True)
    position = models.PositiveSmallIntegerField(
        default=0, help_text=_("Its place among the categories beside it; the lowest number comes first.")
    )
    parent = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="children", verbose_name=_("part of")
    )

    class Meta:
        ordering = ("position", "name")
        verbose_name_plural = "categories"
        constraints = [
            models.CheckConstraint(
                condition=Q(parent__isnull=True) | ~Q(parent=F("id")), name="category_not_part_of_itself"
            )
        ]

    def __str__(self) -> str:
        return self.name

    @classmethod
    def own_triggers(cls, vendor: str) -> dict[str, str]:
        events = {"catalog_category_added": "INSERT", "catalog_category_placed": "UPDATE OF parent_id"}
        return {name: tree_trigger(name, event, vendor) for name, event in events.items()}

    @property
    def lineage(self) -> list["Category"]:
        """The categories that it is part of, the most general first, and itself. Reads parents that are not loaded."""
        found = [self]
        while found[0].parent is not None and len(found) < MAX_LEVELS:
            found.insert(0, found[0].parent)
        return found

    @property
    def path(self) -> str:
        """ "Tableware / Bowls"."""
        return " / ".join(category.name for category in self.lineage)
