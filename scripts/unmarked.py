"""Find texts for people in templates, Python and JavaScript that are not marked for translation.

Lines with `not for translation` in a comment are skipped: brands, codes, messages for developers.
"""

import ast
import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path

from django.template.base import Lexer, TokenType

Found = Iterator[tuple[int, str]]  # line, text

OPT_OUT = "not for translation"
VALUE = "\ufffc"  # replaces what a template inserts
NAMES = re.compile(
    r"Artisans Alley|Stripe|PayPal|Visa|Mastercard|American Express|IBAN|BIC|API|JSON|CSV|UTC|https?://\S+"
)
WORD = re.compile(r"[^\W\d_]{2,}")


def texts(path: Path) -> Found:
    """Line and text of everything in the file that people read and that is not marked."""
    source = path.read_text()
    lines = source.splitlines()
    find: Callable[[str], Found] = {".js": in_javascript, ".txt": in_text}.get(path.suffix, in_html)
    if path.suffix == ".py":
        find = in_api if describes_api(path) else in_python
    for line, text in find(source):
        if OPT_OUT not in lines[line - 1]:
            yield line, " ".join(text.replace(VALUE, "…").split())


def has_words(text: str) -> bool:
    return bool(WORD.search(NAMES.sub("", text)))


# ---- templates ---------------------------------------------------------------------------------------------

READ_ALOUD = {
    *("alt", "title", "placeholder", "label"),
    *("aria-label", "aria-description", "aria-roledescription", "aria-valuetext"),
}
BUTTONS = {"submit", "button", "reset"}
CODE = {"code", "kbd", "pre", "samp", "script", "style"}
# Tags whose strings are names or codes, never sentences.
TECHNICAL = {
    *(
        "if",
        "elif",
        "load",
        "extends",
        "url",
        "static",
        "block",
        "endblock",
        "now",
        "cycle",
        "for",
        "ifchanged",
    ),
    *("translate", "trans", "endblocktranslate", "endblocktrans"),
}
STRING = re.compile(r"""(_\()?(["'])(.*?)\2""")
FORMATS = re.compile(
    r"""\|(?:date|time|cut|slice|stringformat|join|add|default):(["'])(?:[^A-Z\s]*|[A-Z_]+|[^"']*%[^"']*)\1|\|(?:date|time):(["']).*?\2"""
)


def in_html(source: str) -> Found:
    plain, found = without_tags(source)
    page = Page()
    page.feed(plain)
    page.close()
    yield from found
    yield from page.found


def in_text(source: str) -> Found:
    plain, found = without_tags(source)
    yield from found
    for number, line in enumerate(plain.splitlines(), start=1):
        if has_words(line):
            yield number, line


def without_tags(source: str) -> tuple[str, list[tuple[int, str]]]:
    """The template without its tags and marked texts, line by line, and unmarked strings inside tags."""
    plain, found = [], []
    skip_until = ""
    for token in Lexer(source).tokenize():
        name = token.contents.split()[0] if token.contents.split() else ""
        text = "\n" * token.contents.count("\n")
        if token.token_type == TokenType.BLOCK and name in {
            "blocktranslate",
            "blocktrans",
            "comment",
            "verbatim",
        }:
            skip_until = f"end{name}"
            text += VALUE
        elif skip_until:
            if token.token_type == TokenType.BLOCK and name == skip_until:
                skip_until = ""
        elif token.token_type == TokenType.TEXT:
            text = token.contents
        elif token.token_type == TokenType.VAR or name in {"translate", "trans"}:
            text += VALUE
        if not skip_until and token.token_type in {TokenType.VAR, TokenType.BLOCK}:
            found += [(token.lineno or 1, string) for string in strings_in_tag(name, token.contents)]
        plain.append(text)
    return "".join(plain), found


def strings_in_tag(name: str, contents: str) -> Iterator[str]:
    """Strings in a tag or variable that look like texts for people."""
    if "|pluralize" in contents:
        yield f"{contents} (use a plural form)"
    if name in TECHNICAL:
        return
    for is_marked, _quote, string in STRING.findall(FORMATS.sub("", contents)):
        looks_like_a_sentence = re.search(r"[^\W\d_] [^\W\d_]", string) or re.match(r"[A-Z][a-z]", string)
        if not is_marked and looks_like_a_sentence and has_words(string):
            yield string


class Page(HTMLParser):
    """Collects the texts and attributes that people see or hear."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[int, str]] = []
        self.code: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in CODE:
            self.code.append(tag)
        given = {name: value or "" for name, value in attrs}
        for name, value in given.items():
            if has_words(value) and self.is_read(tag, name, given):
                self.found.append((self.getpos()[0], f'{name}="{value}"'))

    def is_read(self, tag: str, name: str, given: dict[str, str]) -> bool:
        if name == "value":
            return tag == "input" and given.get("type") in BUTTONS
        if name == "content":
            return given.get("name") == "description"
        is_sentence = name.startswith("data-") and re.match(r"[A-Z].* ", given[name]) is not None
        return name in READ_ALOUD or is_sentence

    def handle_endtag(self, tag: str) -> None:
        if self.code and self.code[-1] == tag:
            self.code.pop()

    def handle_data(self, data: str) -> None:
        if not self.code and has_words(data):
            line = self.getpos()[0] + data[: len(data) - len(data.lstrip())].count("\n")
            self.found.append((line, data))


# ---- Python ------------------------------------------------------------------------------------------------

MARKS = {
    *("_", "gettext", "gettext_lazy", "gettext_noop", "N_", "ngettext", "ngettext_lazy"),
    *("pgettext", "pgettext_lazy", "npgettext", "npgettext_lazy"),
}
# Arguments and attributes that are shown to people, whatever they are given to.
SHOWN = {
    *("label", "help_text", "verbose_name", "verbose_name_plural", "short_description", "empty_label"),
    *("violation_error_message", "error_messages", "default_error_messages", "detail", "empty_value_display"),
    "details",
}
SHOWN_BY = {
    "success",
    "info",
    "warning",
    "error",
    "message_user",
    "add_error",
    "ValidationError",
    "mark_safe",
    "format_html",
    "Outcome",  # of a webhook event: its note
    *("flag_raise", "flag_refresh", "flag_clear"),
}
LABELS = {"display", "action"}  # admin decorators, whose `description` is a label
# What is written for developers and operators, and errors of providers.
TECHNICAL_CALLS = {
    *("debug", "exception", "critical", "log", "write", "add_argument", "get_logger", "getLogger"),
    *("ImproperlyConfigured", "CommandError", "RuntimeError", "ValueError", "TypeError", "AssertionError"),
    *("KeyError", "LookupError", "NotImplementedError", "NetworkInTransaction", "Unknown", "CannotVerify"),
    *("Error", "Warning", "compile", "execute", "RunSQL"),
    *("extend_schema", "extend_schema_view", "extend_schema_field", "inline_serializer", "cast"),
}
# English by choice: shown on /docs only, made by migrate, or stored with a status change for troubleshooting.
ENGLISH = {"remedy", "permissions", "cause"}
SENTENCE = re.compile(r"(?:[A-Z][a-z’'*]*|\ufffc),? [^\s|]+ .*[a-z]")
API = re.compile(
    r"^(api|serializers|schemas|openapi|codes|error_codes|pagination|schema|webhook_schema|settings)(_|$)"
)


def describes_api(path: Path) -> bool:
    """Descriptions of the API stay English, as its reference does; what it answers does not."""
    return path.parent.name == "api" or API.match(path.stem) is not None


def in_python(source: str, *, with_descriptions: bool = True) -> Found:
    finder = Finder(with_descriptions=with_descriptions)
    finder.visit(ast.parse(source))
    return iter(sorted(finder.found))


def in_api(source: str) -> Found:
    return in_python(source, with_descriptions=False)


def called(node: ast.Call) -> str:
    function = node.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


class Finder(ast.NodeVisitor):
    """Walks a module; `is_shown` says whether a string in this position is certainly shown to people."""

    def __init__(self, *, with_descriptions: bool) -> None:
        self.found: set[tuple[int, str]] = set()
        self.with_descriptions = with_descriptions
        self.is_shown = False
        self.bases: list[set[str]] = []

    def within(self, node: ast.AST, *, is_shown: bool) -> None:
        before, self.is_shown = self.is_shown, is_shown
        self.visit(node)
        self.is_shown = before

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self.bases.append({ast.unparse(base).rpartition(".")[2] for base in node.bases})
        self.generic_visit(node)
        self.bases.pop()

    def visit_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):  # otherwise a docstring
            self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        names = {getattr(target, "id", getattr(target, "attr", "")) for target in node.targets}
        if names & ENGLISH:
            return
        is_choice = bool(self.bases) and bool(self.bases[-1] & {"TextChoices", "IntegerChoices"})
        if is_choice and isinstance(node.value, ast.Tuple):
            self.within(node.value.elts[-1], is_shown=True)
        elif not is_choice:
            self.within(node.value, is_shown=bool(names & SHOWN))

    def visit_Call(self, node: ast.Call) -> None:
        name = called(node)
        if name in MARKS:
            if node.args and isinstance(node.args[0], ast.JoinedStr | ast.BinOp):
                self.found.add((node.lineno, f"{ast.unparse(node)[:80]} (mark a plain string)"))
            return
        if name in TECHNICAL_CALLS or name.startswith("OpenApi") or self.is_logging(node):
            return
        for argument in node.args:
            self.within(argument, is_shown=name in SHOWN_BY)
        for keyword in (keyword for keyword in node.keywords if keyword.arg not in ENGLISH):
            is_label = keyword.arg == "description" and name in LABELS
            self.within(keyword.value, is_shown=keyword.arg in SHOWN - self.descriptions or is_label)

    @property
    def descriptions(self) -> set[str]:
        return set() if self.with_descriptions else {"help_text", "label"}

    def visit_Raise(self, node: ast.Raise) -> None:
        if isinstance(node.exc, ast.Call) and called(node.exc) not in TECHNICAL_CALLS:
            for argument in node.exc.args:
                self.within(argument, is_shown=True)
            self.visit(node.exc.func)
        elif node.exc:
            self.visit(node.exc)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value:
            self.visit(node.value)

    def visit_arg(self, node: ast.arg) -> None:
        pass  # a type

    def is_logging(self, node: ast.Call) -> bool:
        owner = getattr(node.func, "value", None)
        return isinstance(owner, ast.Name) and owner.id in {"log", "logger", "logging", "checks", "warnings"}

    def visit_Dict(self, node: ast.Dict) -> None:
        for value in node.values:
            self.visit(value)

    def visit_Compare(self, node: ast.Compare) -> None:
        pass  # compared with codes

    def visit_Subscript(self, node: ast.Subscript) -> None:
        self.visit(node.value)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str):
            self.judge(node.lineno, node.value)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        parts = [part.value if isinstance(part, ast.Constant) else VALUE for part in node.values]
        self.judge(node.lineno, "".join(str(part) for part in parts))
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                self.within(part.value, is_shown=False)
                if any(
                    isinstance(inner, ast.Call) and called(inner) in MARKS for inner in ast.walk(part.value)
                ):
                    self.found.add(
                        (node.lineno, f"{ast.unparse(part.value)[:80]} (mark outside of an f-string)")
                    )

    def judge(self, line: int, text: str) -> None:
        is_read = self.is_shown and has_words(text) and not re.fullmatch(r"[a-z_.]+|[A-Z_]+|<.*>", text)
        is_sentence = self.with_descriptions and SENTENCE.match(text.strip())
        if is_read or is_sentence:
            self.found.add((line, text))


# ---- JavaScript --------------------------------------------------------------------------------------------

LITERAL = re.compile(r""""((?:[^"\\\n]|\\.)*)"|'((?:[^'\\\n]|\\.)*)'|`((?:[^`\\]|\\.)*)`""")


def in_javascript(source: str) -> Found:
    """Sentences in string literals; scripts read their texts from the page."""
    for literal in LITERAL.finditer(source):
        text = next(filter(None, literal.groups()), "")
        if re.match(r"[A-Z][a-z]+ ", text) or re.search(r"[a-z]{2} [a-z]+ [a-z]+", text):
            yield source.count("\n", 0, literal.start()) + 1, text
