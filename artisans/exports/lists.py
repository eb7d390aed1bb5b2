"""Lists that people export: what each has for one person. Apps above register theirs in `apps.py`."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, QueryDict

from artisans.accounts.models import User
from artisans.core.file_columns import FileColumn

BATCH = 2000


@dataclass(frozen=True, slots=True)
class ExportList:
    """A list as one person sees it, with its search, filters and order. `filters`: the chosen ones, for people.
    `batches`: its rows, some at a time; they are those of the moment at which the first are asked for."""

    name: str
    title: str
    columns: Sequence[FileColumn]
    count: Callable[[], int]
    batches: Callable[[], Iterator[Sequence[Any]]]
    filters: Sequence[tuple[str, str]] = ()

    def chosen(self, names: Iterable[str]) -> list[FileColumn]:
        """The columns with these names, in the order of the list."""
        wanted = set(names)
        return [column for column in self.columns if column.name in wanted]


Source = Callable[[User, str, QueryDict], ExportList]
# By the first part of a list's name ("admin:orders.order"): finds it by the second part and the address's query.
SOURCES: dict[str, Source] = {}


def find_list(name: str, user: User, query: QueryDict) -> ExportList:
    """Errors: Http404 for an unknown list; PermissionDenied if the person may not export it."""
    kind, _separator, rest = name.partition(":")
    if kind not in SOURCES:
        raise Http404
    return SOURCES[kind](user, rest, query)


def rows_by_key(
    keys: QuerySet[Any], load: Callable[[Sequence[Any]], Iterable[Any]]
) -> Iterator[Sequence[Any]]:
    """The rows of `keys` in their order, which are read by a single statement: rows that are added or changed while the
    others are read neither appear nor move, so that none is left out or comes twice. Rows deleted since are left out.

    `load`: the rows with some of the keys, in any order. The keys wait in a file, so that millions of them cost no
    memory.
    """
    to_key = keys.model._meta.pk.to_python
    with TemporaryFile("w+") as file:
        with transaction.atomic():  # the cursor at the server lives as long, also behind a pooler
            compiler = keys.values_list("pk").query.get_compiler(keys.db)
            for key, *_rest in compiler.results_iter(chunked_fetch=True, chunk_size=BATCH):
                file.write(f"{key}\n")
        file.seek(0)
        while part := [to_key(line.strip()) for _number, line in zip(range(BATCH), file, strict=False)]:
            found = {row.pk: row for row in load(part)}
            yield [found[key] for key in part if key in found]
