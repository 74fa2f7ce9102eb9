"""The reader's loop: dispatches on what starts at each token and keeps the little state between them."""

from __future__ import annotations

from imagewright.agents.reading import clauses, exclusions, lexicon, naming, nouns, shares, styling
from imagewright.agents.reading.asides import set_aside
from imagewright.agents.reading.function_words import CLOSED, DETERMINERS, PREPOSITIONS
from imagewright.agents.reading.noun_phrase import NounPhraseReader
from imagewright.agents.reading.numbers import NUMBER_WORDS
from imagewright.agents.reading.phrases import Phrase, PhraseFinder
from imagewright.agents.reading.record import MAX_GROUPS, Record
from imagewright.agents.reading.state import ReaderState
from imagewright.agents.reading.tokens import Token
from imagewright.agents.reading.words import listed
from imagewright.schemas import ParsedPrompt


class Reader:
    """Reads one token list into a ``ParsedPrompt``."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.low = [t.low for t in tokens]
        self.finder = PhraseFinder(tokens)
        self.phrases = NounPhraseReader(tokens, self.finder)
        self.record = Record()
        self.state = ReaderState()
        self.unread: list[int] = []
        """Tokens that were passed over: no thing, place, verb or function word was seen in them."""

        self.aside: list[str] = []
        """What is named and has no place of its own."""

    def read(self) -> ParsedPrompt:
        """Go through all tokens once."""
        i = 0
        while i < len(self.tokens):
            i = max(i + 1, self._step(i))
        self.aside = set_aside(self)
        return self.record.parsed()

    def word(self, i: int) -> str:
        """The lower-case token ``i``, or an empty string past the ends."""
        return self.low[i] if 0 <= i < len(self.low) else ""

    def _step(self, i: int) -> int:
        """Handle what starts at token ``i``; the index of the next token to look at."""
        token = self.tokens[i]
        if token.quoted:
            return self._quotation(i)
        if token.is_mark:
            return self._mark(i)
        for part in (
            self._style,
            self._fixed_phrase,
            self._joint,
            self._denial,
            self._verb,
            self._preposition,
            self._share,
            self._noun_phrase,
        ):
            after = part(i)
            if after is not None:
                return after
        self.unread.append(i)
        return i + 1

    def _quotation(self, i: int) -> int:
        """Words in quotation marks belong to the caption of what was just named: "a sign that says …"."""
        history = self.record.history
        if history and len(self.record.groups[history[-1]].tails) < 6:
            verb = "saying " if self.word(i - 1) in {"says", "saying", "reads", "reading", "say", "read"} else ""
            self.record.groups[history[-1]].tails.append(verb + self.tokens[i].text)
        return i + 1

    # --- punctuation, styles, conjunctions ---------------------------------------------------

    def _mark(self, i: int) -> int:
        state, low = self.state, self.low[i]
        if low == ":":
            state.glue = "colon"
        elif low in ",()[]":
            state.glue = "start" if self.opens() else "comma"
            state.link = None if state.glue == "comma" else state.link
        else:
            history = state.recent or state.subject
            self.state = ReaderState(subject=history)
            self.record.series = ""
        return i + 1

    def _style(self, i: int) -> int | None:
        end = styling.style_segment(self, i)
        if end is None:
            return None
        self.record.style.append(" ".join(t.text for t in self.tokens[i:end]))
        return end

    def _joint(self, i: int) -> int | None:
        low, state = self.low[i], self.state
        if low in {"and", "plus", "then", "or"}:
            state.glue = "and" if state.glue != "start" else "start"
            if state.link is not None and state.link.kind != "rel":
                state.link = None
            return i + 1
        if low in {"but", "while", "whereas", "although", "though", "yet", "so", "because"}:
            self.state = ReaderState(
                glue="and", mode="done", recent=state.recent, subject=state.recent or state.subject
            )
            return i + 1
        if low in {"that", "which", "who", "whose", "where"} and self._relates_back(i):
            named = [self.record.history[-1]] if self.record.history and not state.scene else []
            plural = self.word(i + 1) in {"are", "were"} and state.mode == "list"
            state.subject, state.glue, state.link = self._said_of(i + 2) if plural else named, "verb", None
            return i + 1
        return None

    def _said_of(self, i: int) -> list[int]:
        """What "that are" speaks of: several of a kind alone, unless "all" or "both" says otherwise; else the list."""
        recent, groups = self.state.recent, self.record.groups
        alone = bool(recent) and groups[recent[-1]].count > 1 and self.word(i) not in {"all", "both", "each"}
        return recent[-1:] if alone else recent

    def _relates_back(self, i: int) -> bool:
        """Whether "that", "which" follows what it speaks of: a thing, or "an image"."""
        medium = self.state.glue == "start" and nouns.singular(self.word(i - 1)) in lexicon.MEDIA | nouns.FRAME
        return medium or self.state.glue in {"none", "comma"}

    def opens(self) -> bool:
        """Whether the sentence has named nothing yet: only "draw", "show me", "there is" may stand before."""
        state = self.state
        return state.glue in {"start", "colon"} or (state.glue == "verb" and state.asked and not state.subject)

    # --- phrases -----------------------------------------------------------------------------

    def _fixed_phrase(self, i: int) -> int | None:
        phrase = self.finder.at(i)
        if phrase is None:
            return None
        end = i + phrase.tokens
        handler = {
            "pos": clauses.place,
            "rel": clauses.relation,
            "relit": clauses.relation_to_pronoun,
            "owner": clauses.relation_to_owner,
            "between": clauses.between,
            "sides": clauses.sides,
            "series": clauses.series,
            "neg": exclusions.negation,
            "negpost": exclusions.negation_after,
            "style": styling.read_named_style,
            "on_background": styling.backdrop,
        }.get(phrase.kind)
        return handler(self, i, end, phrase) if handler else self._idle(end)

    def _idle(self, end: int) -> int:
        if self.word(end - 1) in {"as", "to"} or self.word(end - 2) == "as":
            self.state.glue = "and"
        if self.word(end - 1) == "present":
            self.state.mode = "done"
        return end

    def _denial(self, i: int) -> int | None:
        """ "…, not apples": what follows is excluded, when it is a thing; "not green ones" says what is so anyway."""
        ones = self.phrases.read(i + 1) if self.low[i] == "not" and self.state.glue != "verb" else None
        if ones is not None and not ones.words and ones.attributes and self.word(ones.end) in {"one", "ones"}:
            return ones.end + 1
        if self.low[i] != "not" or self.state.glue == "verb" or not self.phrases_noun_after(i + 1):
            return None
        return exclusions.negation(self, i, i + 1, Phrase("neg", "", 1))

    # --- verbs -------------------------------------------------------------------------------

    def _verb(self, i: int) -> int | None:
        low, state = self.low[i], self.state
        if not self._acts_as_verb(i):
            return None
        if state.glue in {"none", "comma"} and state.recent:
            state.subject = (state.related or state.recent) if state.mode == "object" else state.recent
        last = _is_singular(low) or low in {"colored", "coloured", "painted"}
        if state.glue == "none" and len(state.subject) > 1 and state.mode == "list" and last:
            state.subject = state.recent = state.subject[-1:]
        subject = state.subject
        if (state.glue in {"start", "comma"} and not self.record.groups) or state.scene:
            subject = []
        state.subject, state.glue = subject, "verb"
        state.asked = not state.scene and (low in lexicon.IMPERATIVES or low in {"is", "are", "like"})
        state.link = naming.verb_link(self, i, subject)
        if low in lexicon.COPULA or low in {"colored", "coloured", "painted", "both", "all", "each"}:
            return naming.predicate(self, i + 1)
        return i + 1

    def _acts_as_verb(self, i: int) -> bool:
        low, glue = self.low[i], self.state.glue
        if low in lexicon.AUXILIARY or low in lexicon.RIDING | lexicon.WEARING:
            return True
        if low in {"there", "here"}:
            return False
        if glue == "none" and (i in self.phrases.verbs or self._is_verb_after_many(i)):
            return True
        if self.word(i - 1) == "to" and low in lexicon.IMPERATIVES and self.opens():
            return True
        if (
            low in {"colored", "coloured", "painted"}
            and glue in {"comma", "and"}
            and naming.is_predicate_adjective(self, i + 1)
        ):
            self.state.subject = self.state.recent
            return bool(self.state.recent)
        if low.endswith("ing") and len(low) > 4 and low not in _NOT_VERBS:
            progressive = glue == "verb" and self._after_being(i)
            if progressive or (glue in {"and", "comma"} and self.state.progressive):
                self.state.progressive = True
                return True
        if low in lexicon.COPULA and glue in {"none", "verb"}:
            return True
        if glue == "verb" and lexicon.is_verb(low) and self._after_being(i):
            return True
        if glue == "verb" and self.word(i - 1) in {"it", "he", "she"} and low in lexicon.ALL_FORMS:
            return True
        if glue == "none":
            known = lexicon.is_verb(low) or low in lexicon.BASE_VERBS | lexicon.ATTACHING | lexicon.HAVING
            return known or self.phrases.verb_before_object(i)
        if low in lexicon.IMPERATIVES and self.word(i + 1) != "of" and glue != "colon":
            return (
                self.word(i + 1) in DETERMINERS
                or self.word(i + 1) in {"me", "us", "to", "it", "them", "sure"}
                or self.phrases.starts(i + 1)
                or self._negates(i + 1)
            )
        if low in lexicon.VERB_FORMS or low in lexicon.HAVING:
            bare = low.endswith(("ing", "ed")) and glue in {"start", "colon"} and self.phrases.starts(i)
            return not bare
        return low.endswith("ing") and self.word(i + 1) in DETERMINERS and lexicon.is_verb(low)

    def _is_verb_after_many(self, i: int) -> bool:
        """ "Two chefs flip pancakes": a bare word after a plural, before something that has a place."""
        low, before = self.low[i], self.word(i - 1)
        if low in NUMBER_WORDS or not before.isalpha() or not low.isalpha():
            return False
        if not nouns.is_plural(before) or nouns.is_plural(low) or lexicon.is_adverb(low):
            return False
        following = self.word(i + 1)
        if low in nouns.SCENE and following not in DETERMINERS:
            return False
        if low in CLOSED or low in lexicon.ADJECTIVES or self.finder.at(i) is not None:
            return False
        led = following in DETERMINERS or following in NUMBER_WORDS or following.isdigit()
        return led or nouns.is_plural(following) or lexicon.is_strict_adjective(following)

    def _negates(self, i: int) -> bool:
        phrase = self.finder.at(i) if i < len(self.low) else None
        return phrase is not None and phrase.kind == "neg"

    def _after_being(self, i: int) -> bool:
        """Whether a form of "to be" stands before ``i``, adverbs aside."""
        first = i - 4
        i -= 1
        while i > first and lexicon.is_adverb(self.word(i)):
            i -= 1
        return self.word(i) in {"is", "are", "was", "were", "be", "been", "being", "it"}

    # --- prepositions ------------------------------------------------------------------------

    def _preposition(self, i: int) -> int | None:
        low, state = self.low[i], self.state
        if low not in PREPOSITIONS:
            return None
        subjects = self.subjects_for_relation()
        colour = low == "in" and lexicon.is_strict_adjective(self.word(i + 1)) and not self.phrases_noun_after(i + 1)
        if colour and subjects:
            return naming.predicate(self, i + 1, subjects)
        if low in {"on", "upon"} and self.opens() and (after := clauses.front(self, i, i + 1, "above")) is not None:
            return after
        attaching = state.link is not None and state.link.kind == "attach"
        if attaching and state.link is not None:
            return i + 1
        state.link = naming.preposition_link(low, subjects, i)
        return i + 1

    def phrases_noun_after(self, i: int) -> bool:
        """Whether the phrase at ``i`` has a noun, not adjectives alone."""
        phrase = self.phrases.read(i)
        return phrase is not None and bool(phrase.words)

    def subjects_for_relation(self) -> list[int]:
        """Which groups a relation that starts here speaks of."""
        state = self.state
        if state.glue == "verb":
            return list(state.subject)
        if state.glue in {"and"} and state.related:
            return list(state.related)
        if state.mode == "object" and not state.scene:
            return self.record.history[-1:]
        return list(state.recent or state.subject)

    def after_filler(self, i: int) -> int:
        """The index after punctuation, "there", verbs and the like that stand between a place and its thing."""
        for _ in range(6):
            word = self.word(i)
            filler = word in {",", ":", "there", "we", "you", "can", "one", "i"} and not (
                word == "one" and i + 1 >= len(self.low)
            )
            if word == "one" and self.word(i + 1) not in {"sees", "finds", "can"}:
                return i
            if not filler and word not in _FILLERS:
                return i
            i += 1
        return i

    def predicates(self, i: int) -> bool:
        """Whether what follows at ``i`` says something of the noun phrase before it: a place, a relation, a verb."""
        last = i + 4
        while i < last and lexicon.is_adverb(self.word(i)) and self.finder.at(i) is None:
            i += 1
        if i >= len(self.low):
            return False
        if self.finder.at(i) is not None:
            return self.relates(i)
        word = self.low[i]
        return word in lexicon.AUXILIARY or lexicon.is_verb(word) or word in {"in", "on", "at", "that", "which", "who"}

    def relates(self, i: int) -> bool:
        """Whether a place or a relation is stated at ``i``."""
        phrase = self.finder.at(i) if i < len(self.low) else None
        return phrase is not None and phrase.kind in {"pos", "rel", "relit", "owner", "between", "sides"}

    def place_at(self, i: int) -> str:
        """The place in the frame that is stated at ``i``, or an empty string."""
        phrase = self.finder.at(i) if i < len(self.low) else None
        return phrase.value if phrase is not None and phrase.kind == "pos" else ""

    def relate_fronted(self, index: int) -> None:
        """Give the group just named the relation that was stated before it."""
        if self.state.fronted_relation is None:
            return
        name, objects = self.state.fronted_relation
        if name == "between" and len(objects) == 2:
            self.record.relate([objects[0]], "left", [index])
            self.record.relate([index], "left", [objects[1]])
        elif name == "sides" and objects:
            clauses.spread(self, [index], objects[0])
            self.state.fronted_relation = None
        else:
            self.record.relate([index], name, objects)

    # --- noun phrases ------------------------------------------------------------------------

    def _share(self, i: int) -> int | None:
        return shares.read_share(self, i)

    def _noun_phrase(self, i: int) -> int | None:
        if self._is_model_number(i):
            self.unread.append(i)
            return i + 1
        phrase = self.phrases.read(i)
        if phrase is None:
            return self._pronoun(i)
        if len(phrase.words) == 1 and (phrase.head in _EMPTY_NOUNS or phrase.head in nouns.ABSTRACT):
            self.state.glue = "none" if self.state.glue != "start" else "start"
            self.state.link = None
            return phrase.end
        bare = phrase.determiner == "" and phrase.count is None and not phrase.attributes
        if bare and self.state.glue == "none" and self.state.link is None and self.state.fronted == "":
            self.unread += range(i, phrase.end)
            return phrase.end
        return naming.name_things(self, phrase)

    def _is_model_number(self, i: int) -> bool:
        """ "Boeing 747", "Area 51": digits after a name belong to it."""
        named = i > 0 and self.low[i].isdigit() and self.tokens[i - 1].text[:1].isupper()
        return named and (self.state.glue == "none" or (self.state.glue == "start" and int(self.low[i]) > MAX_GROUPS))

    def _pronoun(self, i: int) -> int | None:
        low = self.low[i]
        if low in {"it", "them", "him", "her"} and self.state.link is not None and self.state.link.kind == "rel":
            clauses.relate_to_pronoun(self, self.state.link, many=low == "them")
            return i + 1
        if low in {"both", "they", "all", "each"} and self.record.groups:
            self.state.subject = self.state.recent or self.state.subject
            self.state.glue = "verb"
            return naming.predicate(self, i + 1)
        if low in {"it", "he", "she"}:
            self.state.subject, self.state.glue = self.record.history[-1:], "verb"
            return i + 1
        return None


def _is_singular(verb: str) -> bool:
    """ "is", "sits": said of one thing, so of the last in a list."""
    return verb in {"is", "was", "has"} or (verb.endswith("s") and verb in lexicon.ALL_FORMS)


_NOT_VERBS = listed("reader.not_verbs")
_FILLERS = lexicon.AUXILIARY | lexicon.HAVING | lexicon.IMPERATIVES | lexicon.BASE_VERBS | lexicon.VERB_FORMS
_EMPTY_NOUNS = listed("reader.empty_nouns")
