"""Things named: a new group or an earlier one, scenery, a medium, a part of something; and what is said of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from imagewright.agents.reading import lexicon, nouns, scenes, styling
from imagewright.agents.reading.function_words import PREPOSITIONS
from imagewright.agents.reading.noun_phrase import NounPhrase
from imagewright.agents.reading.state import PhraseLink
from imagewright.agents.reading.words import words

if TYPE_CHECKING:
    from imagewright.agents.reading.reader import Reader

_OWN = words("its his her their")
_WORN_ON = words("on over around round upon across about in")
_FOR_ALL = frozenset({"each", "all", "both", "every"})
_SHOWING = words("with showing featuring depicting containing")
_TOLD = frozenset({"left", "right", "above", "below", "behind", "in-front"})
_DIRECTIONAL = frozenset({"left", "right", "above", "below"})


def verb_link(reader: Reader, i: int, subject: list[int]) -> PhraseLink | None:
    """What the object of the verb at ``i`` will be to its subject."""
    low = reader.low[i]
    if low in lexicon.RIDING:
        return PhraseLink("rel", "above", list(subject), i, soft=True)
    if low in lexicon.WEARING or low in lexicon.ATTACHING:
        return PhraseLink("attach", "", list(subject), i)
    if low in lexicon.HAVING:
        return PhraseLink("with", "near", list(subject), i)
    if low in lexicon.AUXILIARY or low in lexicon.IMPERATIVES or not subject:
        return None
    return PhraseLink("rel", "near", list(subject), i, soft=True)


def preposition_link(low: str, subjects: list[int], i: int) -> PhraseLink:
    """What the object of the preposition at ``i`` will be."""
    if low in {"on", "upon", "onto"}:
        return PhraseLink("rel", "above", subjects, i, soft=True)
    if low in {"in", "into", "inside", "within"}:
        return PhraseLink("rel", "inside", subjects, i, soft=True)
    if low in {"with", "featuring", "including", "plus"}:
        return PhraseLink("with", "near", subjects, i)
    if low in {"for", "of", "like", "as", "than", "about", "per", "despite", "since", "until", "via", "after"}:
        return PhraseLink("ignore", "", subjects, i)
    return PhraseLink("rel", "near", subjects, i, soft=True)


def predicate(reader: Reader, i: int, targets: list[int] | None = None) -> int:
    """Read adjectives after "is", "that are", "painted", "in" and give them to the subject; the index after them."""
    end, words, text, denied = i, list[str](), list[str](), False
    while end < len(reader.low) and len(words) < 8:
        low = reader.low[end]
        if low == "not":
            denied = True
        elif low == "," and words and reader.word(end + 1) in lexicon.MANNERS and styling.style_tag(reader, end + 1):
            break
        elif low in {"and", ","} and words and is_predicate_adjective(reader, end + 1):
            text += ["and"] if low == "and" else []
        elif is_predicate_adjective(reader, end):
            words.append(low)
            text.append(low)
        elif not lexicon.is_adverb(low) and low not in {"colored", "coloured", "painted", "all", "both"}:
            break
        end += 1
    if not words:
        return i
    if not denied:
        _describe(reader, reader.state.subject if targets is None else targets, words, " ".join(text))
    reader.state.glue, reader.state.mode, reader.state.link = "none", "done", None
    return end


def is_predicate_adjective(reader: Reader, i: int) -> bool:
    """An adjective that no noun follows: "is white", not "is white paint"."""
    if i >= len(reader.low) or not reader.low[i][:1].isalpha() or reader.finder.at(i) is not None:
        return False
    low = reader.low[i]
    if low in lexicon.VERB_FORMS or not lexicon.is_adjective(low):
        return False
    if low in lexicon.KNOWN_COLOURS and reader.word(i + 1) in lexicon.VERB_FORMS - lexicon.MATERIALS:
        return True
    if low.endswith("ed") and not lexicon.is_strict_adjective(low) and reader.word(i + 1) in PREPOSITIONS:
        return False
    phrase = reader.phrases.read(i)
    return (
        phrase is None
        or not phrase.words
        or phrase.words[-1] in lexicon.KNOWN_STYLES | lexicon.STYLE_HEADS
        or (reader.word(i + 1) == "," and not phrase.plural)
        or (phrase.words == (low,) and (low in lexicon.NOUN_TOO or low.endswith("ed")))
    )


def _describe(reader: Reader, targets: list[int], words: list[str], text: str) -> None:
    record = reader.record
    if targets:
        for index in targets:
            record.groups[index].describe_as(words, text)
    elif record.background and record.background[-1].rpartition(" ")[2] in {"background", "backdrop"}:
        noun = record.background.pop().rpartition(" ")[2]
        record.background.append(f"{nouns.article(text)} {text} {noun}")


def name_things(reader: Reader, phrase: NounPhrase) -> int:
    """Take in a noun phrase in its role; the index after it."""
    state = reader.state
    owner = (
        phrase.attributes[-1].removesuffix("'s") if phrase.attributes and phrase.attributes[-1].endswith("'s") else ""
    )
    if owner and phrase.head in nouns.PART | nouns.REGION_NOUNS:
        phrase = replace(
            phrase, attributes=phrase.attributes[:-1], described=" ".join(phrase.attributes[:-1]), words=(owner,)
        )
    if state.link is not None and state.link.kind == "ignore" and not styling.is_medium(reader, phrase):
        state.link, state.glue = None, "none"
        return phrase.end
    if not phrase.words or phrase.words[-1] in {"other", "others"}:
        return name_some(reader, phrase)
    if state.recent and _is_colour_alone(reader, phrase):
        _describe(reader, state.recent, list(phrase.words), " ".join(phrase.words))
        state.mode, state.glue, state.link = "done", "none", None
        return phrase.end
    if styling.is_medium(reader, phrase):
        return styling.medium(reader, phrase)
    if _attaches(reader, phrase):
        return _attach(reader, phrase)
    if styling.is_style_noun(reader, phrase):
        reader.record.style.append(" ".join([*phrase.described.split(), *phrase.words]))
        state.link, state.glue = None, "none"
        return phrase.end
    if name_scenery(reader, phrase):
        framed, following = scenes.is_frame(phrase), reader.word(phrase.end)
        of = framed and following == "of"
        ahead = scenes.is_backdrop(phrase) or (framed and following in _SHOWING)
        shows = of or (ahead and not reader.record.groups)
        state.link, state.glue = None, "start" if shows else "none"
        return phrase.end + of
    return _thing(reader, phrase)


def _is_colour_alone(reader: Reader, phrase: NounPhrase) -> bool:
    """ "both orange", "orange in color": a colour that could be a thing, and is not one here."""
    said = reader.word(phrase.start) in _FOR_ALL or reader.low[phrase.end : phrase.end + 2] in (
        ["in", "color"],
        ["in", "colour"],
    )
    return said and not phrase.attributes and phrase.words[-1] in lexicon.KNOWN_COLOURS


def name_scenery(reader: Reader, phrase: NounPhrase) -> bool:
    """Note ``phrase`` as background when it is scenery; whether it was."""
    state, record = reader.state, reader.record
    link = state.link
    lead = " ".join(reader.low[link.start : phrase.start]) if link is not None and link.kind == "rel" else ""
    preposition = lead if " " not in lead else ""
    if _hangs_there(reader, phrase, lead) or _is_built_there(reader, phrase):
        return False
    if scenes.is_frame(phrase) and (
        phrase.determiner in {"the", "this"} or phrase.head not in {"scene", "composition", "view"}
    ):
        if phrase.determiner in {"the", "this"} or link is not None:
            state.scene = not lead
            return True
        if phrase.head in {
            "page",
            "screen",
            "frame",
            "photo",
            "painting",
            "picture",
            "drawing",
            "canvas",
            "photograph",
        }:
            return False
    named = not phrase.determiner and reader.tokens[phrase.start].text[:1].isupper()
    city = named and preposition in {"in", "at", "over", "across"}
    scenery = city or scenes.is_frame(phrase) or scenes.is_backdrop(phrase) or scenes.is_scene(phrase, preposition)
    if not scenery:
        return False
    if lead.split(" ")[0] not in lexicon.LINKS:
        lead = ""
    for attribute in phrase.attributes:
        if attribute.endswith("-free"):
            record.exclude(nouns.singular(attribute.removesuffix("-free")))
    text = scenes.say_scene(phrase, "" if scenes.is_backdrop(phrase) else lead)
    record.background.append(" ".join(w for w in text.split(" ") if not w.endswith("-free")))
    state.scene = not lead
    return True


def _is_built_there(reader: Reader, phrase: NounPhrase) -> bool:
    """ "Over a stadium", "in front of a grey garage": scenery by its noun, and what a direction is told of."""
    link = reader.state.link
    told = link is not None and not link.soft and link.name in _TOLD
    return told and phrase.head in nouns.STRUCTURE and phrase.determiner in {"a", "an", "one"}


def _hangs_there(reader: Reader, phrase: NounPhrase, lead: str) -> bool:
    """ "behind a painting", "a photo in front of a vase": a picture among the things, not what they are seen in."""
    if phrase.determiner not in {"a", "an", "one", ""} or phrase.head not in nouns.PICTURE or phrase.plural:
        return False
    return bool(lead) and lead not in {"in", "on", "within", "inside"}


def _attaches(reader: Reader, phrase: NounPhrase) -> bool:
    """Whether the phrase describes the thing before it: "with a red collar", "wearing a hat", "filled with fruit"."""
    state = reader.state
    link, part = state.link, phrase.head in nouns.PART
    if link is None:
        return state.attached and state.glue in {"and", "comma"} and part and not reader.relates(phrase.end)
    if not link.subjects:
        return False
    if link.kind == "attach":
        return not _is_counted(reader, phrase, link)
    if part and reader.word(phrase.start) in _OWN and link.kind == "rel" and reader.word(link.start) in _WORN_ON:
        return True
    if link.kind == "with" and phrase.head in nouns.WEARABLE and _wears_nothing(reader, link.subjects):
        return False
    held = link.kind == "with" or reader.word(link.start) == "in"
    following = reader.finder.at(phrase.end) if phrase.end < len(reader.low) else None
    owned = (
        following is not None
        and following.kind == "rel"
        and reader.word(phrase.end + following.tokens) in {"it", "them", "", ",", ".", ";"}
    )
    return part and held and not owned and not (following is not None and following.kind in {"relit", "sides", "pos"})


def _wears_nothing(reader: Reader, subjects: list[int]) -> bool:
    """Whether a hat "with" these lies on them or by them: a table, a shelf, a box."""
    return all(reader.record.groups[index].noun.rpartition(" ")[2] in nouns.FURNITURE for index in subjects)


def _is_counted(reader: Reader, phrase: NounPhrase, link: PhraseLink) -> bool:
    """ "topped with three candles": a stated number of things is to be seen; they are near what they are on."""
    if phrase.vague or (phrase.count or 1) < 2 or phrase.head in nouns.PART:
        return False
    link.kind, link.name, link.soft = "rel", "near", True
    return True


def _wearers(reader: Reader, phrase: NounPhrase, link: PhraseLink) -> list[int]:
    """Of "a man with a hat and a dog with a scarf" the dog has the scarf, not both; of "… with scarves" both have."""
    worn = reader.word(link.start) == "in" and phrase.head in nouns.WEARABLE
    if not (link.kind == "with" or worn) or len(link.subjects) < 2:
        return link.subjects
    told = any(reader.record.groups[index].tails for index in link.subjects[:-1])
    return link.subjects if phrase.plural and not told else link.subjects[-1:]


def _attach(reader: Reader, phrase: NounPhrase) -> int:
    state = reader.state
    named = state.recent or reader.record.history[-1:]
    targets = _wearers(reader, phrase, state.link) if state.link is not None else named
    begin = state.link.start if state.link is not None else phrase.start - 1
    text = " ".join("and" if w == "," else w for w in reader.low[begin : phrase.end] if w != "\x00")
    for index in targets:
        tails = reader.record.groups[index].tails
        if len(tails) < 6:
            tails.append(text)
    state.link, state.glue, state.attached = None, "none", True
    return phrase.end


def name_some(reader: Reader, phrase: NounPhrase) -> int:
    """Some of what was named, or all of it: "two blue ones", "one on the left", "both red", "three of them"."""
    state, record = reader.state, reader.record
    end = phrase.end
    if _stands_for_all(reader, phrase):
        state.subject, state.glue = record.history[-2:] if phrase.count == 2 else list(record.history), "verb"
        return end
    while reader.word(end) in {"one", "ones", "of", "them", "these"} and end < phrase.end + 3:
        end += 1
    if not phrase.words and phrase.attributes and phrase.count is None and reader.word(end) in {"is", "are"}:
        state.described, state.glue, state.recent, state.subject = (
            (list(phrase.attributes), phrase.described),
            "start",
            [],
            [],
        )
        return end + 1
    if not record.history and phrase.count is not None and phrase.attributes and end == phrase.end:
        state.ahead = phrase
        return end
    if not record.history and phrase.count is not None and end == phrase.end and not phrase.attributes:
        state.count = phrase.count
        return end
    if not record.history:
        index = record.elliptical(phrase) if end > phrase.end else None
        if index is not None:
            _settle(reader, index, end)
        return end
    target = record.groups[record.history[-1]]
    if phrase.count is not None and not phrase.attributes and target.vague:
        target.count, target.vague = max(1, phrase.count), False
    elif _says_of_all(phrase) and end == phrase.end:
        named = state.recent if state.mode != "object" else []
        _describe(reader, named or record.history[-1:], list(phrase.attributes), phrase.described)
        state.mode = "done"
    elif (known := _meant(reader, phrase)) is not None:
        _settle(reader, known, end)
        return end
    else:
        index = record.elliptical(phrase)
        if index is not None:
            _settle(reader, index, end)
            state.recent = state.recent if phrase.attributes else [index]
    state.glue, state.link = "none", None
    return end


def _stands_for_all(reader: Reader, phrase: NounPhrase) -> bool:
    """ "…, both on grass": no more things, but those that were named."""
    bare = not phrase.words and not phrase.attributes and reader.low[phrase.start : phrase.end] in (["both"], ["all"])
    return bare and len(reader.record.history) > 1 and reader.word(phrase.end) in PREPOSITIONS - {"of"}


def _meant(reader: Reader, phrase: NounPhrase) -> int | None:
    """ "The red one", where one red thing was named: that thing, and no other."""
    if phrase.determiner not in ("the", "that", "this") or not phrase.attributes or reader.word(phrase.end) != "one":
        return None
    groups = reader.record.groups
    fitting = [n for n, g in enumerate(groups) if set(phrase.attributes) <= set(g.attributes) and g.count == 1]
    return fitting[0] if len(fitting) == 1 else None


def _one_of_several(reader: Reader, phrase: NounPhrase) -> bool:
    """ "One cat is orange", after two cats were named."""
    several = any(g.noun == phrase.noun and (g.count > 1 or g.divided) for g in reader.record.groups)
    said = phrase.count == 1 and not phrase.determiner and reader.state.glue in {"start", "comma"}
    return several and said and not phrase.attributes and reader.predicates(phrase.end)


def _says_of_all(phrase: NounPhrase) -> bool:
    """ "black", "each green", "both red": not one of several, but all that were named."""
    if phrase.words:
        return False
    return phrase.determiner in _FOR_ALL or (phrase.count is None and not phrase.determiner)


def _thing(reader: Reader, phrase: NounPhrase) -> int:
    if reader.state.count is not None and phrase.count is None and phrase.plural:
        phrase = replace(phrase, count=reader.state.count)
    reader.state.count = None
    ahead, reader.state.ahead = reader.state.ahead, None
    if ahead is not None:
        first = reader.record.new(phrase.noun, replace(ahead, words=phrase.words))
        reader.state.recent = [] if first is None else [first]
    if _one_of_several(reader, phrase):
        return name_some(reader, replace(phrase, words=()))
    index = reader.record.add(phrase, reader.place_at(phrase.end))
    if index is not None:
        _settle(reader, index, phrase.end)
    return phrase.end


def _settle(reader: Reader, index: int, end: int) -> None:
    """Work out what the group just named is to what came before, and remember it."""
    state, record = reader.state, reader.record
    link, joined = state.link, state.glue in {"and", "comma"}
    if link is not None:
        link.subjects = _before_objects(reader, link.subjects, index)
        record.relate(link.subjects, link.name, [index])
    if link is not None and link.kind == "rel" and link.subjects:
        state.related, state.relation, state.mode = list(link.subjects), "" if link.soft else link.name, "object"
    elif link is None and joined and state.mode == "list":
        state.recent = [index] if index in state.recent else [*state.recent, index]
    elif (
        link is None
        and state.glue == "and"
        and state.mode == "object"
        and state.relation in _DIRECTIONAL
        and not reader.predicates(end)
    ):
        record.relate(state.related, state.relation, [index])
    else:
        state.recent, state.related, state.mode = [index], [], "list"
    if state.fronted and not reader.place_at(end):
        record.groups[index].position = state.fronted
    if state.fronted_relation is not None:
        reader.relate_fronted(index)
    if record.series:
        record.relate([] if record.series_last is None else [record.series_last], record.series, [index])
        record.series_last = index
    if state.described is not None:
        record.groups[index].describe_as(*state.described)
        state.described = None
    state.link, state.glue, state.scene, state.attached = None, "none", False, False


def _before_objects(reader: Reader, subjects: list[int], index: int) -> list[int]:
    """What is related: of "a house and a tree, a star above the tree" the star alone."""
    known = index in subjects and subjects[-1] != index
    return subjects[subjects.index(index) + 1 :][-1:] if known else subjects
