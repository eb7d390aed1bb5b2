"""The words of a text as search compares them: folded, split and stemmed alike for products and for queries."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import snowballstemmer

LONGEST_WORD = 40
MOST_TERMS = 3_000  # of one text; PostgreSQL's limit for a document is 1 MB
SHORTEST_BEGINNING = 2  # letters
# letters of a word in which two may be swapped or one doubled; one missing or too many; one wrong; two slips
SWAP_FROM, ONE_SLIP_FROM, WRONG_LETTER_FROM, TWO_SLIPS_FROM = 4, 5, 6, 8
MOST_SLIPS = 2
SHORTEST_ROOT, LONGEST_ENDING = 5, 3  # letters

LETTERS = str.maketrans(
    {"æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ħ": "h", "\u0131": "i"}
)
MARKS = re.compile("[\u0300-\u036f]")
DOUBLED = re.compile(r"(.)\1+")
JOINED = str.maketrans(
    dict.fromkeys("’\u2018\u201b\u02bc\u02b9\u2032\uff07`\u00b4", "'")
    | dict.fromkeys("\u2010\u2011\ufe63\uff0d", "-")
    | dict.fromkeys("\u00ad\u200b\u200c\u200d\u2060\ufeff")  # invisible
)
IDEOGRAM = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"  # written without spaces: each is a word
WORD = re.compile(rf"(?=\w)[{IDEOGRAM}]|[^\W_{IDEOGRAM}]+(?:['-][^\W_{IDEOGRAM}]+)*")

STOP_LIST = """
    a an and any are as at be by for from have i in is it its me my not of on or our some that the their this to we
    with you your
"""
STOP_WORDS = frozenset(STOP_LIST.split())
# What the stemmer does not know: irregular plurals; adjectives of materials; other spellings.
SAME_LIST = """
    calves calf, dwarves dwarf, elves elf, halves half, hooves hoof, knives knife, leaves leaf, lives life,
    loaves loaf, scarves scarf, selves self, sheaves sheaf, shelves shelf, thieves thief, wharves wharf, wives wife,
    wolves wolf, children child, feet foot, geese goose, men man, mice mouse, oxen ox, people person, teeth tooth,
    women woman,
    golden gold, silken silk, wooden wood, woolen wool, woollen wool,
    ax axe, color colour, gray grey, jewelry jewellery, mold mould, mustache moustache
"""
SAME_WORDS = dict(pair.split() for pair in SAME_LIST.split(","))
# Offered for each other, the first ones first, if the shop has nothing by the word typed.
RELATED_LIST = """
    mug cup beaker tumbler, pendant necklace chain, cuff bracelet bangle, cushion pillow, blanket throw quilt,
    stoneware pottery ceramics porcelain earthenware, tableware crockery plate dish bowl, jug pitcher carafe,
    rug carpet mat, wallet purse, bag handbag tote satchel rucksack backpack, notebook journal diary,
    print poster painting picture, jewellery jewel, lamp light lantern chandelier, scarf shawl, weaving tapestry,
    stationery paper, bauble ornament decoration christmas, children kids, cloth fabric textile
"""
RELATED = [group.split() for group in RELATED_LIST.split(",")]
OTHER_FORMS = {base: word for word, base in SAME_WORDS.items()}


def fold(text: str) -> str:
    """Without case, accents and full-width forms; every apostrophe and hyphen is the ASCII one."""
    folded = unicodedata.normalize("NFKC", text.translate(JOINED)).casefold()
    bare = MARKS.sub("", unicodedata.normalize("NFKD", folded)).translate(LETTERS)
    return unicodedata.normalize("NFC", bare)


def parts(word: str) -> list[str]:
    """`tea`, `pot` of "tea-pot"."""
    return [part[:LONGEST_WORD] for part in re.split("['-]", word)]


def joined(word: str) -> str:
    """`teapot` of "tea-pot"."""
    return "".join(parts(word))[:LONGEST_WORD]


@lru_cache(maxsize=100_000)
def stem(word: str) -> str:
    """`bowl` of "bowls", `scarf` of "scarves". A stem need not be a word: `potteri` of "pottery"."""
    english = snowballstemmer.stemmer("english")  # one each: it keeps its state and threads must not share it
    base: str = english.stemWord(SAME_WORDS.get(word, word))
    return SAME_WORDS.get(base, base)


def index_terms(text: str) -> dict[str, str]:
    """What finds this text: its words as written and their stems. Each with a word to show for it."""
    terms: dict[str, str] = {}
    for word in WORD.findall(fold(text)):
        for form in (*parts(word), joined(word)):
            base = stem(form)
            other = OTHER_FORMS.get(base, form)  # for who types "scarv"
            terms |= {form: form, other: other}
            terms.setdefault(base, form)
        if len(terms) >= MOST_TERMS:
            break
    return terms


@dataclass(frozen=True, slots=True)
class QueryWord:
    """One word of a query, folded. A beginning, such as the last word typed, also finds the words that it begins."""

    text: str
    is_beginning: bool = False

    def alternatives(self, *, begins: bool) -> list[list[str]]:
        """Any of them finds a product that has all of its terms; a term that ends in `*` is a beginning."""
        whole, one = parts(self.text), joined(self.text)
        found = [[stem(part) for part in whole], [stem(one)]]
        if begins and self.is_beginning and len(one) >= SHORTEST_BEGINNING:
            found += [[*map(stem, whole[:-1]), f"{whole[-1]}*"], [f"{one}*"]]
        return [found[n] for n in range(len(found)) if found[n] not in found[:n]]


def query_words(text: str) -> tuple[QueryWord, ...]:
    """Without repetitions, and without stop words unless there is nothing else."""
    words = list(dict.fromkeys(WORD.findall(fold(text))))
    content = [word for word in words if word not in STOP_WORDS]
    return tuple(QueryWord(word, is_beginning=word == words[-1]) for word in content or words)


def related(word: str, *, with_slips: bool = False) -> list[str]:
    """Other words for the same, or for things nearly the same."""
    base = stem(word)

    def is_it(other: str) -> bool:
        return stem(other) == base or (with_slips and distance(word, other) is not None)

    groups = [group for group in RELATED if any(map(is_it, group))]
    return [other for group in groups for other in group if stem(other) != base]


def slips_allowed(word: str) -> int:
    return (len(word) >= SWAP_FROM) + (len(word) >= TWO_SLIPS_FROM)


def singular(word: str) -> str:
    """Without a plural's s: "cups" is as short as "cup"."""
    return word.removesuffix("s") if not word.endswith("ss") else word


def undoubled(word: str) -> str:
    """`poter` of "potter"."""
    return DOUBLED.sub(r"\1", word)


def distance(typed: str, term: str) -> int | None:
    """How far the term is from the word typed: its slips; None if it must be another word."""
    if term[0] != typed[0]:
        return None
    length = min(len(singular(typed)), len(term))
    counts = [
        count
        for form in {typed, singular(typed)}
        if length >= letters_needed(form, term, count := slips(form, term, most=MOST_SLIPS))
    ]
    return min(counts, default=MOST_SLIPS if is_other_form(typed, term) else None)


def letters_needed(one: str, other: str, count: int) -> int:
    """How long words must be, so that so many slips are likelier than two different words."""
    if count > MOST_SLIPS:
        return LONGEST_WORD + 1
    if count == MOST_SLIPS:
        return TWO_SLIPS_FROM
    if is_mild(one, other):
        return SWAP_FROM
    return WRONG_LETTER_FROM if len(one) == len(other) else ONE_SLIP_FROM


def is_mild(one: str, other: str) -> bool:
    """Whether no letter is missing or wrong: some are swapped, or doubled in one word only."""
    return sorted(one) == sorted(other) or undoubled(one) == undoubled(other)


def is_other_form(typed: str, term: str) -> bool:
    """Whether the words differ in their ending and in doubled letters only: "pottery" or "potery", "potters"."""
    root, other = undoubled(stem(typed).rstrip("i")), undoubled(term)
    return len(root) >= SHORTEST_ROOT and other.startswith(root) and len(other) <= len(root) + LONGEST_ENDING


def slips(one: str, other: str, *, most: int) -> int:
    """How many letters were added, left out, replaced or swapped with the next; above `most` any higher number."""
    if abs(len(one) - len(other)) > most or len(set(one) ^ set(other)) > 2 * most:
        return most + 1
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, start=1):
        before, last, row = row, before, [i]
        for j, match in enumerate(other, start=1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != match))
            if i > 1 < j and letter == other[j - 2] and one[i - 2] == match:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
    return row[-1]


def intact(word: str, *, most: int) -> tuple[str, str, str]:
    """A beginning, a middle and an end, of which at least one is left whole by `most` slips (1 or 2).

    A slip touches at most two neighbouring letters, so that one slip cannot touch a beginning and an end with a
    letter between them, nor two slips both of them and the middle three letters. The middle is empty for one slip.
    """
    kept = max(len(word) - (1 if most == 1 else 5), 0)
    start, end = kept // 2, kept - kept // 2
    middle = word[start + 1 : start + 4] if most > 1 else ""
    return word[:start], middle, word[len(word) - end :]


def shown(words: Iterable[QueryWord]) -> str:
    return " ".join(word.text for word in words)
