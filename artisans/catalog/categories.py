"""The tree of categories: read by one query, however many there are, and changed under one lock."""

from collections.abc import Iterator, Mapping
from typing import Any, Self

from django import forms
from django.db.models import Case, Value, When
from django.db.models.functions import Coalesce
from django.forms.models import ModelChoiceIterator
from django.utils.translation import gettext as _

from artisans.catalog.models import Category
from artisans.catalog.models.category import MAX_LEVELS


def second_level(name: str, otherwise: Any) -> Case:
    is_third = When(parent__parent__isnull=False, then=f"parent__{name}")
    return Case(is_third, When(parent__isnull=False, then=name), default=Value(otherwise))


def third_level(name: str, otherwise: Any) -> Case:
    return Case(When(parent__parent__isnull=False, then=name), default=Value(otherwise))


# Of rows of the table: by the main category, then by the part of it, then by the part of that.
TREE_ORDER = (
    *(Coalesce(f"parent__parent__{name}", f"parent__{name}", name) for name in ("position", "name")),
    *(second_level(name, default) for name, default in (("position", -1), ("name", ""))),
    *(third_level(name, default) for name, default in (("position", -1), ("name", ""))),
)


class CategoryTree:
    """All categories in the order of the tree: each is followed by those that are part of it."""

    def __init__(self, rows: list[Category]) -> None:
        """`rows`: all categories, in the order of their position."""
        by_pk = {row.pk: row for row in rows}
        self.parts: dict[int | None, list[Category]] = {}
        for row in rows:
            if row.parent_id is not None:
                row.parent = by_pk[row.parent_id]
            self.parts.setdefault(row.parent_id, []).append(row)
        self.rows = list(self.walk(None, 1))

    @classmethod
    def load(cls) -> Self:
        return cls(list(Category.objects.all()))

    def walk(self, pk: int | None, level: int) -> Iterator[Category]:
        for row in self.parts.get(pk, []) if level <= MAX_LEVELS else []:
            yield row
            yield from self.walk(row.pk, level + 1)

    def find(self, slug: str) -> Category | None:
        return next((row for row in self.rows if row.slug == slug), None)

    def children_of(self, category: Category | None) -> list[Category]:
        """Those that are directly part of it; for None, the most general ones."""
        return self.parts.get(category.pk if category else None, [])

    def whole(self, category: Category) -> list[int]:
        """The keys of the category and of all that are part of it."""
        return [category.pk, *(row.pk for row in self.walk(category.pk, len(category.lineage) + 1))]

    def total(self, counts: Mapping[int, int], category: Category | None = None) -> int:
        """The sum of a count by category, for the category and all that are part of it; for None, for all."""
        if category is None:
            return sum(counts.values())
        return sum(counts.get(pk, 0) for pk in self.whole(category))

    def levels_of(self, category: Category) -> int:
        """How many levels the category and its parts take: 1 without parts."""
        return 1 + max((self.levels_of(part) for part in self.children_of(category)), default=0)


def categories_lock() -> CategoryTree:
    """The tree, which nobody else changes until the transaction ends.

    Read again after the lock: of what another transaction added meanwhile, the locking statement sees nothing.
    """
    list(Category.objects.select_for_update().order_by("pk").values_list("pk", flat=True))
    return CategoryTree.load()


def parent_refusal(tree: CategoryTree, category: Category, parent: Category) -> str:
    """Why the category cannot be part of `parent`; "" if it can. The caller holds the lock of the tree."""
    names = {"category": category.name, "parent": parent.name, "levels": MAX_LEVELS}
    inside = [] if category.pk is None else tree.whole(category)
    if parent.pk == category.pk:
        return _("A category cannot be part of itself. Choose another one.")
    if parent.pk in inside:
        return _("%(parent)s is part of %(category)s. Move it out of there first.") % names
    level = next((len(row.lineage) for row in tree.rows if row.pk == parent.pk), MAX_LEVELS)
    below = 1 if category.pk is None else tree.levels_of(category)
    if level + below > MAX_LEVELS:
        return _(
            "Categories have at most %(levels)d levels, and this would be one more. Choose a category further up."
        ) % (names)
    return ""


class TreeIterator(ModelChoiceIterator):  # type: ignore[type-arg]  # generic in the stubs only
    def __iter__(self) -> Iterator[tuple[Any, str]]:
        if self.field.empty_label is not None:
            yield "", str(self.field.empty_label)
        yield from map(self.choice, CategoryTree.load().rows)


class CategoryField(forms.ModelChoiceField):  # type: ignore[type-arg]  # generic in the stubs only
    """A choice of one category, in the order of the tree and each with those that it is part of."""

    iterator = TreeIterator

    def label_from_instance(self, obj: Category) -> str:
        return obj.path
