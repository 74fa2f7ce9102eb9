"""Noun phrases: determiner, count, adjectives, a noun of one or more words, and an "of …" tail.

The head is the last noun-like token of the run; adjectives precede it. Nothing here needs to know the noun.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from imagewright.agents.reading import lexicon, nouns
from imagewright.agents.reading.function_words import CLOSED, DETERMINERS, PREPOSITIONS
from imagewright.agents.reading.numbers import COLLECTIVE, EXACT_WORDS, NUMBER_WORDS, VAGUE, read_count
from imagewright.agents.reading.phrases import PhraseFinder
from imagewright.agents.reading.tokens import Token

_MAX_NOUN_WORDS = 4
_MAX_ADJECTIVES = 8
_MAX_ADVERBS = 4
_BODY = frozenset("head back shoulder nose neck arm hand foot tail paw horn antler wing".split())
_FRACTIONS = frozenset("half halves third thirds quarter quarters fourths fifths sixths eighths tenths".split())
_GROUND = frozenset({"background", "backdrop"})
_MODIFIED = {"very", "bright", "light", "dark", "pale", "deep", "really", "extremely", "quite"}


@dataclass(frozen=True)
class NounPhrase:
    """What was read between two tokens, ``start`` to ``end`` (exclusive)."""

    start: int
    end: int
    determiner: str = ""
    count: int | None = None
    vague: bool = False
    attributes: tuple[str, ...] = ()
    described: str = ""
    """The adjectives as written, with their "and"."""
    words: tuple[str, ...] = ()
    """The noun as written; empty for an elliptical phrase ("two blue")."""
    tail: str = ""
    collective: str = ""

    @property
    def noun(self) -> str:
        """The singular noun."""
        if self.words[-1:] == ("glasses",) and self.tail.startswith("of "):
            return " ".join([*self.words[:-1], "glass"])
        return nouns.singular_phrase(list(self.words))

    @property
    def head(self) -> str:
        """The last word of the singular noun."""
        return self.noun.rpartition(" ")[2]

    @property
    def plural(self) -> bool:
        """Whether the noun is written as more than one."""
        return bool(self.words) and nouns.is_plural(self.words[-1]) and self.noun.rpartition(" ")[2] != self.words[-1]


@dataclass
class _Draft:
    """A noun phrase in the making."""

    at: int
    determiner: str = ""
    count: int | None = None
    vague: bool = False
    attributes: list[str] = field(default_factory=list)
    described: list[str] = field(default_factory=list)


class NounPhraseReader:
    """Reads noun phrases from one token list."""

    def __init__(self, tokens: list[Token], finder: PhraseFinder) -> None:
        self.tokens = tokens
        self.low = [t.low for t in tokens]
        self._finder = finder
        self.verbs: set[int] = set()
        """Tokens that the structure shows to be verbs: "a chef flips pancakes"."""

    def read(self, start: int, depth: int = 0) -> NounPhrase | None:
        """The noun phrase that starts at ``start``, or None. ``depth`` bounds the nesting of "of"."""
        draft = _Draft(self._skip_adverbs(start))
        self._determiner_and_count(draft)
        collective = self._collective(draft, start, depth)
        if collective is not None:
            return collective
        self._adjectives(draft)
        words = self._noun(draft)
        if self._names_by_adjective(draft, words):
            draft.at -= 1
            self.verbs.add(draft.at)
            words = [draft.attributes.pop()]
            draft.described.pop()
        found_anything = words or draft.attributes or draft.count is not None
        if not found_anything:
            return None
        said = (tuple(draft.attributes), " ".join(draft.described), tuple(words))
        phrase = NounPhrase(start, draft.at, draft.determiner, draft.count, draft.vague, *said)
        return self._with_tail(phrase, depth) if words else phrase

    def starts(self, i: int) -> bool:
        """Whether a noun phrase with a determiner, a count, an adjective or a plain noun can start at ``i``."""
        return i < len(self.low) and self._finder.at(i) is None and self.read(i, depth=3) is not None

    # --- parts -------------------------------------------------------------------------------

    def _skip_adverbs(self, i: int) -> int:
        last = min(i + _MAX_ADVERBS, len(self.low) - 1)
        while i < last and lexicon.is_adverb(self.low[i]):
            i += 1
        return i

    def _determiner_and_count(self, draft: _Draft) -> None:
        for _ in range(3):
            number = read_count(self.low[draft.at : draft.at + 6], 0)
            if number is not None and draft.count is None:
                draft.count, draft.vague = number.value, number.vague
                draft.at += number.tokens
                if self._word(draft.at) in _FRACTIONS and self._word(draft.at + 1) == "of":
                    draft.count, draft.at = None, draft.at + 2  # "two thirds of a pizza" is one, cut
                    continue
                if (self._word(draft.at) == "of" and self._word(draft.at + 1) in DETERMINERS) or (
                    (number.vague or self._word(draft.at - 1) == "dozen") and self._word(draft.at) == "of"
                ):
                    draft.at += 1
                draft.at = self._skip_more(draft.at)
            elif self._word(draft.at) in DETERMINERS:
                draft.determiner = draft.determiner or self._word(draft.at)
                draft.count = 2 if self._word(draft.at) == "both" and draft.count is None else draft.count
                draft.at = self._skip_adverbs(draft.at + 1)
                of_all = self._word(draft.at) == "of" and self._word(draft.at - 1) in {"all", "both", "each"}
                draft.at += int(of_all)
            else:
                return

    def _skip_more(self, i: int) -> int:
        return i + 1 if self._word(i) in {"more", "other", "additional", "identical"} else i

    def _collective(self, draft: _Draft, start: int, depth: int) -> NounPhrase | None:
        """ "a pair of …", "two pairs of …", "a group of three …", "a couple dogs"."""
        at = draft.at
        while lexicon.is_strict_adjective(self._word(at)) and at < draft.at + 2:
            at += 1
        word = self._word(at)
        kind = word if word in COLLECTIVE else nouns.singular(word)
        if kind not in COLLECTIVE or depth > 3:
            return None
        if self._word(at + 1) == "of":
            inner = self.read(at + 2, depth + 1)
        elif (
            kind in {"couple", "dozen"} and draft.determiner in {"a", "an", ""} and nouns.is_plural(self._word(at + 1))
        ):
            inner = self.read(at + 1, depth + 1)
        else:
            return None
        if inner is not None and kind in {"pile", "stack", "heap"} and inner.count is None:
            return None
        if inner is None or not inner.words or (kind in {"bunch", "family", "circle", "line"} and not inner.plural):
            return None
        times = draft.count if draft.count is not None and not draft.vague else 1
        one = inner.determiner in {"a", "an"} and inner.count is None and COLLECTIVE[kind] is None
        members = 1 if one else inner.count if inner.count is not None else (COLLECTIVE[kind] or VAGUE)
        if kind == "pair" and inner.words[-1] in nouns.PLURAL_TANTUM and inner.noun == inner.words[-1]:
            members = 1
        return replace(
            inner,
            start=start,
            count=members * times,
            vague=inner.vague or (inner.count is None and kind not in EXACT_WORDS),
            determiner=draft.determiner,
            collective=kind,
        )

    def _adjectives(self, draft: _Draft) -> None:
        for _ in range(_MAX_ADJECTIVES):
            at = draft.at
            joined = bool(draft.attributes) and self._word(at) in {"and", ",", "or", "but"}
            at = at + 2 if joined and self._word(at) == "," and self._word(at + 1) == "and" else at + int(joined)
            while self._word(at) in _MODIFIED and not self._is_noun_here(at) and lexicon.is_adverb(self._word(at)):
                at += 1
            if not self._is_adjective_here(at) or (joined and not self._goes_on(draft.at, at)):
                return
            shade = self._word(at) in _MODIFIED and self._word(at + 1) in lexicon.KNOWN_COLOURS - {""}
            text = f"{self._word(at)} {self._word(at + 1)}" if shade and self._noun_follows(at + 1) else self._word(at)
            if joined and self._word(draft.at) == "and":
                draft.described.append("and")
            draft.attributes.append(text)
            draft.described.append(text)
            draft.at = at + text.count(" ") + 1

    def _is_adjective_here(self, i: int) -> bool:
        """An adjective by its place: a strict one anywhere, another one only before a noun."""
        word = self._word(i)
        if not word or not word[0].isalpha() or self._is_compound(i) or word in CLOSED or self._is_phrase(i):
            return False
        if lexicon.is_strict_adjective(word):
            return not (word in nouns.SCENE and not self._noun_follows(i))
        led = (
            word not in _GROUND
            and i > 0
            and (
                self._word(i - 1) in DETERMINERS
                or self._word(i - 1) in NUMBER_WORDS
                or lexicon.is_strict_adjective(self._word(i - 1))
            )
        )
        if led and self._is_between_two_of_a_kind(i):
            return False
        if led and lexicon.is_strict_adjective(self._word(i + 1)) and not nouns.is_plural(word):
            return self._can_be_noun(i) and self._noun_follows(i + 1)
        return lexicon.is_adjective(word) and self._noun_follows(i)

    def _is_between_two_of_a_kind(self, i: int) -> bool:
        """ "Red house blue tree", "small house big tree": the second colour or size is another thing's."""
        kinds = (lexicon.KNOWN_COLOURS, frozenset(lexicon.SIZE_WORDS))
        return any(self._word(i - 1) in kind and self._word(i + 1) in kind for kind in kinds)

    def _is_noun_here(self, i: int) -> bool:
        return not self._noun_follows(i)

    def _noun_follows(self, i: int) -> bool:
        """Whether the phrase goes on after token ``i`` and reaches a noun."""
        return self._run_ends_in_noun(i + 1)

    def _goes_on(self, joint: int, i: int) -> bool:
        """Whether the adjectives after a joint lead to a noun, and not, after a comma, to a style."""
        noun = self._run_end(i)
        style = self._word(joint) == "," and self._word(noun) in lexicon.KNOWN_STYLES | lexicon.STYLE_HEADS
        return noun >= 0 and not style

    def _run_ends_in_noun(self, i: int) -> bool:
        return self._run_end(i) >= 0

    def _run_end(self, i: int) -> int:
        """Where the run of adjectives from ``i`` reaches its noun; -1 when it does not."""
        for j in range(i, min(i + 7, len(self.low))):
            word = self.low[j]
            if word in {"and", ","} and j > i and lexicon.is_adjective(self._word(j + 1)):
                continue
            if self._is_phrase(j) or not self._can_be_noun(j) or word[0].isdigit() or self._is_participle(j):
                return -1
            if not lexicon.is_strict_adjective(word) or self._is_compound(j):
                return j
        return -1

    def _is_participle(self, i: int) -> bool:
        """ "balanced on", "drawn in", "drawn flat": a verb that a preposition or a manner follows, and no noun."""
        word, following = self._word(i), self._word(i + 1)
        verb = word.endswith(("ed", "wn", "en")) and word in lexicon.VERB_FORMS
        tinted = word in {"coloured", "colored", "painted"} and following in lexicon.KNOWN_COLOURS
        return tinted or (verb and (following in PREPOSITIONS or following in lexicon.MANNERS))

    def _noun(self, draft: _Draft) -> list[str]:
        words: list[str] = []
        while len(words) < _MAX_NOUN_WORDS and draft.at < len(self.low):
            at = draft.at
            pair = self._is_compound(at)
            if pair and words and nouns.is_plural(words[-1]):
                break  # "astronauts playing cards": the first noun is whole
            if pair:
                words += self.low[at : at + pair]
                draft.at += pair
                break
            first = not words
            if (
                not self._can_be_noun(at)
                or self._is_phrase(at)
                or (not first and self._ends_noun(words[-1], at, draft))
            ):
                break
            if (
                first
                and not draft.determiner
                and draft.count is None
                and not draft.attributes
                and self._reads_as_verb(at)
            ):
                break
            words.append(self.low[at])
            draft.at += 1
        if draft.at < len(self.low) and self.tokens[draft.at].quoted and words:
            draft.at += 1
        return words

    def _ends_noun(self, previous: str, i: int, draft: _Draft) -> bool:
        """Whether the noun is complete before token ``i``: a verb, an adjective, or a word after a plural."""
        word = self.low[i]
        if word[0].isdigit() or lexicon.is_verb(word) or lexicon.is_strict_adjective(word) or lexicon.is_adverb(word):
            return True
        if self._is_verb_after_one(previous, i, draft):
            self.verbs.add(i)
            return True
        if previous in nouns.FRAME and word in lexicon.ALL_FORMS:
            return True
        if previous in _GROUND and (word in lexicon.KNOWN_STYLES or word in lexicon.MANNERS):
            return word not in nouns.FRAME
        if self._is_participle(i):
            return True
        if word in NUMBER_WORDS or word in nouns.STOP_NOUN or self.verb_before_object(i):
            return True
        if previous in nouns.INVARIANT and (draft.count or 1) > 1 and word in lexicon.BASE_VERBS:
            self.verbs.add(i)
            return True
        return nouns.is_plural(previous) and previous not in {"sports", "glasses", "women's"}

    def _names_by_adjective(self, draft: _Draft, words: list[str]) -> bool:
        """ "A giant crushes a car": no plural follows "a", so the word before it is the thing."""
        if len(words) != 1 or not draft.attributes or draft.determiner not in {"a", "an", "each", "every"}:
            return False
        thing = draft.attributes[-1] in lexicon.NOUN_TOO and draft.count is None
        return thing and self._is_verb_after_one(draft.attributes[-1] + "-", draft.at - 1, draft)

    def _is_verb_after_one(self, previous: str, i: int, draft: _Draft) -> bool:
        """ "A chef flips", "each boy pours", "the chef flips a pancake": a word in -s after one thing is its verb.

        After "the" it may as well be the thing itself ("the wine glasses"), so an object has to follow.
        """
        word = self.low[i]
        if (
            not word.endswith("s")
            or not nouns.is_plural(word)
            or word in nouns.PLURAL_TANTUM
            or "-" in word
            or "'" in word
        ):
            return False
        if nouns.is_plural(previous) or previous in nouns.INVARIANT | lexicon.NOUN_TOO | {"sports"}:
            return False
        if draft.count not in (None, 1):
            return False
        one = draft.determiner in {"a", "an", "each", "every"} or draft.count == 1 or previous in nouns.FRAME
        following = self._word(i + 1)
        return one or (draft.determiner != "" and (following in DETERMINERS or following in NUMBER_WORDS))

    def verb_before_object(self, i: int) -> bool:
        """A verb that looks like a noun, told by what follows: "watches the", "hold a", "hang on"."""
        word, following = self._word(i), self._word(i + 1)
        if word in {"sit", "hang", "lie", "rest", "hold", "nap", "stand", "set", "left"}:
            return following in DETERMINERS or following in PREPOSITIONS or following in NUMBER_WORDS
        return word in lexicon.ALL_FORMS and following in DETERMINERS

    def _reads_as_verb(self, i: int) -> bool:
        word = self.low[i]
        return word in lexicon.VERB_FORMS or lexicon.is_adverb(word) or (word.endswith("ing") and lexicon.is_verb(word))

    def _can_be_noun(self, i: int) -> bool:
        word = self._word(i)
        if not word or not word[0].isalnum() or self.tokens[i].quoted or word in CLOSED or word in DETERMINERS:
            return False
        if word in lexicon.ADVERBS or word == "ones" or (lexicon.is_adverb(word) and i + 1 < len(self.low)):
            return False
        return word not in lexicon.AUXILIARY and not (word in NUMBER_WORDS and word not in {"single"})

    def _is_compound(self, i: int) -> int:
        """How many tokens of a known compound start at ``i``; 0 for none."""
        for size in (3, 2):
            words = self.low[i : i + size]
            if (
                len(words) == size
                and " ".join([*words[:-1], nouns.singular_phrase(words).rpartition(" ")[2]]) in nouns.COMPOUND
            ):
                return size
        return 0

    def _is_phrase(self, i: int) -> bool:
        return i < len(self.low) and self._finder.at(i) is not None

    def _with_tail(self, phrase: NounPhrase, depth: int) -> NounPhrase:
        """Attach "of …" (and "for …" after a logo): the caption keeps it, the object does not."""
        link = self._word(phrase.end)
        wanted = link == "of" or (
            link == "for" and phrase.head in {"logo", "poster", "icon", "sign", "banner", "advertisement", "ad"}
        )
        if not wanted or depth > 1 or phrase.head in lexicon.MEDIA | nouns.FRAME:
            return phrase
        inner = self.read(phrase.end + 1, depth + 1)
        if inner is None or not inner.words:
            return phrase
        if inner.head in {"colour", "color"}:
            described = f"{phrase.described} {inner.described}".strip()
            attributes = (*phrase.attributes, *inner.attributes)
            return replace(phrase, end=inner.end, attributes=attributes, described=described)
        if depth == 0 and self._is_upon(phrase, inner):
            return replace(inner, start=phrase.start)
        text = " ".join(self.low[phrase.end : inner.end])
        return replace(phrase, end=inner.end, tail=text)

    def _is_upon(self, phrase: NounPhrase, inner: NounPhrase) -> bool:
        """ "On the head of a statue": what it is upon is the statue."""
        led = self._word(phrase.start - 1) in {"on", "upon", "onto"} and phrase.determiner == "the"
        return led and phrase.head in _BODY and inner.determiner in {"a", "an", "the", "one"}

    def _word(self, i: int) -> str:
        return self.low[i] if 0 <= i < len(self.low) else ""
