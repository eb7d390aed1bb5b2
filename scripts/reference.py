"""Reference pages of the documentation, generated from the code: docs/reference/*.md, which git ignores.

Each page is a function that yields blocks of Markdown; its docstring is the introduction.
"""

import ast
import inspect
import os
import re
from argparse import Action
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import django
import yaml
from celery import current_app
from django.apps import apps
from django.conf import settings
from django.core.management import get_commands, load_command_class
from django.core.management.base import BaseCommand

from scripts.email_occasions import OCCASIONS
from scripts.openapi import ROOT, THROW_AWAY

FOLDER = ROOT / "docs/reference"
OURS = ("artisans", "orders", "payments", "carts")
CHECK_ID = re.compile(r"alley\.[EW]\d+")
VARIABLE = re.compile(r"#?[A-Z][A-Z0-9_]+=.*")
SECTION = re.compile(r"# -+ (.+?) -+")
MENTIONED = re.compile(r"docs/([\w/-]+\.md)")
UNKNOWN = "…"
DEEPEST = 1  # level of nested fields of the API
UNITS = ((3600, "hour"), (60, "minute"), (1, "second"))
COMMENT = re.compile(r"# ?(.*)")

Page = Callable[[], Iterator[str]]


def write_all() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "artisans.settings")
    os.environ.update(THROW_AWAY)
    django.setup()
    FOLDER.mkdir(exist_ok=True)
    for page in PAGES:
        title, _, introduction = inspect.cleandoc(page.__doc__ or "").partition("\n")
        text = "\n\n".join([f"# {title.rstrip('.')}", introduction.strip(), *page()])
        (FOLDER / f"{page.__name__.replace('_', '-')}.md").write_text(f"{text}\n")


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *([cell(value) for value in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cell(value: object) -> str:
    return " ".join(str(value).replace("|", r"\|").split())


def linked(text: str) -> str:
    """With links to the pages of docs/ that it mentions."""
    return MENTIONED.sub(r"[\1](../\1)", text)


def code(value: object) -> str:
    return f"`{value}`" if str(value) else ""


# ---- operators -----------------------------------------------------------------------------------------------


def environment_variables() -> Iterator[str]:
    """Environment variables.

    The shop is configured by these variables only, in the environment or in a file `.env`, of which
    [.env.example](../../.env.example) is a template with the same content. The environment comes first.
    `NAME_FILE=/run/secrets/name` reads the value of `NAME` from a file.
    """
    rows: list[tuple[list[str], str]] = []  # variables without a comment share the one before
    comment: list[str] = []
    for line in [*(ROOT / ".env.example").read_text().splitlines(), "# ---- end ---"]:
        if section := SECTION.fullmatch(line):
            if rows:
                yield table(
                    ["variable, default", "meaning"], (("<br>".join(names), text) for names, text in rows)
                )
            rows, comment = [], []
            if section[1] != "end":
                yield f"## {section[1].capitalize()}"
        elif VARIABLE.fullmatch(line):
            if comment:
                rows.append(([], linked(" ".join(comment))))
            rows[-1][0].append(code(line.removeprefix("#")))
            comment = []
        elif text := COMMENT.fullmatch(line):
            comment.append(text[1])


def commands() -> Iterator[str]:
    """Management commands.

    Run them in the folder of the shop, with its environment: `.venv/bin/python manage.py <command>`. They
    exit with 0 on success. Those of Django that a shop needs are `migrate`, `collectstatic` and `check
    --deploy`.
    """
    for name, app in sorted(get_commands().items()):
        if isinstance(app, str) and app.startswith(OURS):
            command = load_command_class(app, name)
            yield f"## {name}"
            yield linked(command.help)
            if options := own_options(command):
                yield table(["option", "meaning"], ((spelling(one), one.help or "") for one in options))


def own_options(command: BaseCommand) -> list[Action]:
    """Without those that Django's class has too."""
    base = next(kind for kind in type(command).__mro__ if kind.__module__.startswith("django."))
    common = {action.dest for action in base().create_parser("manage.py", "")._actions}
    actions = command.create_parser("manage.py", "")._actions
    return [action for action in actions if action.dest not in common]


def spelling(action: Action) -> str:
    if not action.option_strings:
        return code(f"<{action.dest}>")
    takes_value = action.nargs != 0
    return code(action.option_strings[-1] + (f" <{action.dest.replace('_', '-')}>" if takes_value else ""))


def system_checks() -> Iterator[str]:
    """System checks.

    `manage.py check --deploy` reports errors (`E`) and warnings (`W`) of the settings, with what to do. A
    production shop has none of them. Django's own checks are in [its
    documentation](https://docs.djangoproject.com/en/5.2/ref/checks/).
    """
    found: dict[str, tuple[str, str, str]] = {}
    for path in sorted(path for folder in OURS for path in (ROOT / folder).rglob("*.py")):
        folders = set(path.relative_to(ROOT).parts)
        if not {"tests", "migrations"} & folders and CHECK_ID.search(path.read_text()):
            for check_id, text, hint in checks_in(ast.parse(path.read_text())):
                _, texts, hints = found.get(check_id, ("", "", ""))
                found[check_id] = code(check_id), merged(texts, text), merged(hints, hint)
    yield table(["check", "message", "what to do"], (found[name] for name in sorted(found)))


def checks_in(tree: ast.AST) -> Iterator[tuple[str, str, str]]:
    """Id, text and hint of each message: `Error(text, hint=…, id=…)`, `Finding(text, hint, id)` or a tuple of them."""
    constants = {
        node.targets[0].id: words(node.value, {})
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    for node in ast.walk(tree):
        parts: list[ast.expr] = []
        if isinstance(node, ast.Call):
            named = {keyword.arg: keyword.value for keyword in node.keywords}
            parts = [*node.args, *(named[name] for name in ("hint", "id") if name in named)]
            parts = [*parts[-1:], *parts[:-1]]
        elif isinstance(node, ast.Tuple):
            parts = node.elts
        if len(parts) == 3:  # noqa: PLR2004  # id, text, hint
            check_id, text, hint = (words(part, constants) for part in parts)
            if CHECK_ID.fullmatch(check_id):
                yield check_id, "(names the variable)" if text == UNKNOWN else text, hint


def words(node: ast.expr, constants: Mapping[str, str]) -> str:
    """The text of an expression; what is only known at run time is an ellipsis."""
    match node:
        case ast.Constant():
            return str(node.value)
        case ast.Name():
            return constants.get(node.id, UNKNOWN)
        case ast.FormattedValue():
            return words(node.value, constants)
        case ast.JoinedStr():
            return "".join(words(value, constants) for value in node.values)
        case _:
            return UNKNOWN


def merged(texts: str, text: str) -> str:
    return texts if text in texts else f"{texts} {text}".strip()


def periodic_tasks() -> Iterator[str]:
    """Periodic tasks.

    Celery beat enqueues them, and a worker of the queue runs them. A run that no worker has started in
    time, as a rule before the next one, is dropped.
    """
    schedule: Mapping[str, Any] = settings.CELERY_BEAT_SCHEDULE
    rows = []
    for purpose, entry in schedule.items():
        task = entry["task"]
        queue = current_app.amqp.router.route({}, task)["queue"].name
        rows.append(
            (code(task), f"{purpose[0].upper()}{purpose[1:]}", interval(entry["schedule"]), code(queue))
        )
    yield table(["task", "purpose", "when", "queue"], rows)


def invariants() -> Iterator[str]:
    """Invariants.

    What `manage.py check_invariants` checks ([when, and what the promises are](../invariants.md)).
    """
    from artisans.core.invariants import INVARIANTS  # once Django is set up

    rows = sorted(INVARIANTS.values(), key=lambda row: (int(row.promise[1:]), row.name))
    yield table(["promise", "invariant", "rule"], [(row.promise, code(row.name), row.rule) for row in rows])


def metrics() -> Iterator[str]:
    """Definitions of figures.

    Days are those of the shop's time zone (`TIME_ZONE`), from midnight to midnight. Currencies are never added or
    converted. A share without a denominator is empty, neither 0 % nor 100 %; with a denominator below 20 it is marked
    as thin. Sums are divided at the end: shares are never averaged. A changed definition gets a new name.
    """
    from artisans.figures.registry import METRICS

    rows = [
        (code(one.name), one.title, one.sentence, one.basis, ", ".join(map(code, one.dimensions)))
        for one in METRICS.values()
    ]
    yield table(["name", "figure", "definition", "counted on the", "can be divided by"], rows)


def interval(schedule: Any) -> str:
    """`schedule`: a timedelta, or Celery's crontab with one time of the day."""
    if not isinstance(schedule, timedelta):
        return f"daily at {min(schedule.hour)}:{min(schedule.minute):02} UTC"
    seconds = int(schedule.total_seconds())
    size, unit = next((size, unit) for size, unit in UNITS if seconds % size == 0)
    return f"every {unit}" if seconds == size else f"every {seconds // size} {unit}s"


# ---- staff ---------------------------------------------------------------------------------------------------


def roles() -> Iterator[str]:
    """Staff roles.

    A staff role is a set of permissions. *Staff roles* in the admin shows them, and administrators assign them
    under *Users*, in the field *Groups*; a person can have several. Administrators (`is_superuser`) have
    all permissions.
    `migrate` creates the roles and adds permissions that a new version needs; it removes none.
    """
    from payments.roles import ROLES

    names = dict(permissions())
    for role, allowed in ROLES.items():
        yield f"## {role}"
        yield "\n".join(f"- {names[permission]} (`{permission}`)" for permission in allowed)


def permissions() -> Iterator[tuple[str, str]]:
    """Names with what they allow."""
    for model in apps.get_models():
        meta = model._meta
        for action in meta.default_permissions:
            yield f"{meta.app_label}.{action}_{meta.model_name}", f"Can {action} {meta.verbose_name_plural}"
        for name, text in meta.permissions:
            yield f"{meta.app_label}.{name}", str(text)


def emails() -> Iterator[str]:
    """Emails.

    All kinds, as *Emails* in the admin lists them, with their subject. An email is stored in the
    transaction of its cause and sent by a worker.
    """
    from artisans.notifications.kinds import KINDS

    rows = []
    for kind, label in KINDS.items():
        name, _, recipient = str(label).rstrip(")").rpartition(" (")
        rows.append((name, recipient.removeprefix("to "), OCCASIONS[kind], subject_of(kind), code(kind)))
    yield table(["email", "to", "when", "subject", "kind"], rows)


def subject_of(kind: str) -> str:
    text = (ROOT / f"templates/emails/{kind}.subject.txt").read_text()
    if translated := re.search(r'{% translate "(.*?)" %}', text):
        return translated[1]
    return re.sub(r"{{ (\w+) }}", r"{\1}", re.sub(r"{%.*?%}", "", text)).strip()


# ---- clients of the API --------------------------------------------------------------------------------------


def errors() -> Iterator[str]:
    """Errors of the API.

    `code` of a problem ([form of all errors](../api.md#errors)). Codes are stable; new ones may be added,
    so treat an unknown code by its status.
    """
    from artisans.core.api.error_codes import codes_by_name

    yield table(
        ["code", "status", "meaning", "what to do", "retry"],
        (
            (code(one.name), one.status, one.meaning, one.remedy, "yes" if one.is_retryable else "")
            for one in codes_by_name().values()
        ),
    )


def operations() -> Iterator[str]:
    """Operations of the API.

    As described in [openapi.yaml](../openapi.yaml) (OpenAPI 3.1), which every shop serves at `/schema.yaml`; it has an
    interactive page at `/docs`, and all levels of nested fields at `/docs/reference`. [Errors of the API](errors.md)
    explains the codes.
    """
    from artisans.site.docs import reference

    description = yaml.load((ROOT / "docs/openapi.yaml").read_text(), yaml.CSafeLoader)
    with patch.object(reference, "document", lambda: description):  # as generated, which takes seconds
        for group in reference.groups():
            yield f"## {group.name.capitalize()}"
            yield group.text
            for operation in group.operations:
                yield from describe(operation)


def describe(operation: Any) -> Iterator[str]:
    yield f"### {operation.summary}"
    yield code(f"{operation.method} {operation.path}")
    yield operation.text
    yield f"Authorization: {operation.access}."
    yield from fields("parameter", operation.parameters)
    yield from fields("field of the body", operation.body)
    yield details("Example request", "sh", operation.call)
    for answer in operation.answers:
        if not answer.codes:
            yield f"**{answer.status}** {answer.text}"
            yield from fields("field of the response", answer.fields)
            if answer.example:
                yield details("Example response", "json", answer.example)
    errors = (f"{one.status} {', '.join(map(code, one.codes))}" for one in operation.answers if one.codes)
    yield f"Errors: {'; '.join(errors)}."


def fields(head: str, rows: Sequence[Any]) -> Iterator[str]:
    """A nested field is indented."""
    found = [
        (f"{'&emsp;' * one.depth}{code(one.name)}", f"{one.kind}{', required' * one.is_required}", one.text)
        for one in rows
        if one.depth <= DEEPEST
    ]
    if found:
        yield table([head, "type", "meaning"], found)


def details(summary: str, language: str, text: str) -> str:
    return f"<details><summary>{summary}</summary>\n\n```{language}\n{text}\n```\n\n</details>"


def statuses() -> Iterator[str]:
    """Statuses.

    The allowed transitions of orders, payments, parcels and refunds. Clients must accept statuses that they
    do not know.
    """
    from artisans.site.docs.statuses import machines

    for machine in machines():
        yield f"## {machine.title}"
        yield machine.text
        yield table(
            ["status", "shown as", "can become"],
            ((code(one.name), one.label, ", ".join(map(code, one.following))) for one in machine.statuses),
        )


PAGES: tuple[Page, ...] = (
    environment_variables,
    commands,
    system_checks,
    periodic_tasks,
    invariants,
    metrics,
    roles,
    emails,
    errors,
    operations,
    statuses,
)
