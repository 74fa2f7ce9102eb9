"""Nouns for the rules agents: number, irregular plurals, and what kind of thing a noun names.

The tables only sharpen the reading of frequent words; a noun that is in none of them is still read and placed.
"""

from __future__ import annotations

from functools import lru_cache

from imagewright.agents.reading.words import listed, words

IRREGULAR = dict(pair.split("=") for pair in listed("nouns.irregular"))

# Same form for one and many.
INVARIANT = listed("nouns.invariant")
# Always written as a plural, and one thing all the same.
PLURAL_TANTUM = listed("nouns.plural_tantum")
ENDS_IN_S = listed("nouns.ends_in_s")
NOT_MEN = words("omen specimen abdomen ramen regimen amen acumen hymen")
OES = listed("nouns.oes")


@lru_cache(maxsize=4096)
def singular(word: str) -> str:
    """The singular of one lower-case word; words that are singular already come back as they are."""
    if word in IRREGULAR:
        return IRREGULAR[word]
    if word in INVARIANT or word in PLURAL_TANTUM or word in ENDS_IN_S or len(word) < 3:
        return word
    if "-" in word and word.rpartition("-")[2].isalpha():
        head, _, tail = word.rpartition("-")
        return f"{head}-{singular(tail)}"
    if word.endswith("women") or (word.endswith("men") and word not in NOT_MEN and len(word) > 4):
        return word[:-2] + "an"
    return _strip_s(word) if word.endswith("s") else word


def _strip_s(word: str) -> str:
    """The regular rules for a word that ends in ``s``."""
    if word.endswith("sss"):
        return word[:-1]
    if word.endswith(("ss", "us")):
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("ches", "shes", "sses", "xes", "zzes")) and not word.endswith("aches"):
        return word[:-2]
    if word.endswith("aches") and not word.endswith(("headaches", "toothaches")):
        return word[:-2]
    if word in OES or (word.endswith("uses") and len(word) > 5) or word.endswith("oes"):
        return word[:-2]
    return word[:-1]


def is_plural(word: str) -> bool:
    """Whether the word is written as more than one (``scissors`` is not, ``sheep`` cannot tell)."""
    return singular(word) != word


def singular_phrase(words: list[str]) -> str:
    """The singular of a noun of one or more words: only the last is inflected."""
    if not words:
        return ""
    last = words[-1]
    if (
        last == "glasses"
        and len(words) > 1
        and words[-2] in {"wine", "beer", "cocktail", "drinking", "champagne", "water", "shot", "martini"}
    ):
        last = "glass"
    return " ".join([*words[:-1], singular(last)])


def plural(noun: str) -> str:
    """The plural of a noun of one or more words."""
    head, _, last = noun.rpartition(" ")
    return f"{head} {_plural_word(last)}" if head else _plural_word(last)


_BACK = dict(pair.split("=") for pair in listed("nouns.irregular_plurals"))


def _plural_word(word: str) -> str:
    if word in _BACK:
        return _BACK[word]
    if word in INVARIANT or word in PLURAL_TANTUM:
        return word
    if word.endswith("man") and word not in {"human", "german", "caiman", "roman", "talisman"}:
        return word[:-2] + "en"
    if word.endswith("y") and len(word) > 1 and word[-2] not in "aeiou":
        return word[:-1] + "ies"
    if word.endswith(("s", "x", "z", "ch", "sh")) or f"{word}es" in OES:
        return word + "es"
    return word + "s"


def article(text: str) -> str:
    """``a`` or ``an`` for the text that follows it, by its first sound as far as spelling tells."""
    first = text.split(" ", 1)[0].lower()
    if first.startswith(("hour", "honest", "heir", "honor", "honour")):
        return "an"
    if first.startswith(("uni", "use", "usu", "eu", "one", "once", "ukulele", "ute", "ura")) and not first.startswith(
        "unin"
    ):
        return "a"
    return "an" if first[:1] in "aeiou" and first else "a"


# Nouns that name a place or a time: they become the background, not a box.
SCENE = listed("nouns.scene")
SCENE_COMPOUND = words(
    "parking lot,living room,dining room,outer space,train station,bus station,gas station,"
    "coffee shop,shopping mall,swimming pool,city street,ski slope,train tracks,railroad tracks,"
    "train track,tennis court,ice rink,night sky,deep sea,fish tank,milky way,time square,"
    "times square,town square,city square,new york,rice field,bus stop,flower field,bowling alley,"
    "hotel lobby,front yard,cobblestone street,golf course,scenic course",
    ",",
)
# Nouns that are a place after "in", "on", "at", "through" and a thing anywhere else.
SOFT_SCENE = listed("nouns.soft_scene")
# What is built: scenery too, but a thing where its colour and a direction are told of it.
STRUCTURE = listed("nouns.structure")
FRAME = listed("nouns.frame")
PICTURE = words("painting photo photograph drawing picture illustration canvas")
WEARABLE = listed("nouns.wearable")
FURNITURE = listed("nouns.furniture")
# What belongs to its owner after "with", "wearing", "in" or "has".
PART = listed("nouns.part")
REGION_NOUNS = listed("nouns.region_nouns")
"""Where on a thing something is, not a thing: "the edge of a crater", "on his shoulder"."""
STOP_NOUN = listed("nouns.stop_noun")
TALL = listed("nouns.tall")
WIDE = listed("nouns.wide")
AIRBORNE = listed("nouns.airborne")
ABSTRACT = listed("nouns.abstract")
SHAPE_NOUNS = listed("nouns.shape_nouns")
COMPOUND = words(
    "trash can,watering can,tin can,"
    "fire hydrant,teddy bear,wine glass,sports ball,tennis racket,hot dog,stop sign,parking meter,"
    "traffic light,baseball bat,baseball glove,potted plant,dining table,computer mouse,tv remote,"
    "computer keyboard,cell phone,hair drier,hair dryer,rolling pin,cookie cutter,picture frame,"
    "rubber band,rubber duck,magnifying glass,washing machine,sewing machine,rocking chair,"
    "frying pan,cutting board,ice cream,polar bear,light bulb,street light,christmas tree,"
    "paper clip,swimming suit,bathing suit,stuffed animal,steering wheel,vending machine,"
    "rocking horse,flying saucer,golden retriever,high heel,red panda,grizzly bear,tennis ball,"
    "bow tie,running shoe,walking stick,french fry,french horn,palm tree,pine tree,apple pie,"
    "paper airplane,paper plane,toy car,gingerbread man,glass slipper,hot air balloon,"
    "merry go round,box of chocolates,wedding cake,birthday cake,playing card,fishing rod,"
    "shopping cart,sleeping bag,wheeled cart,drinking glass,dressing table,ironing board,"
    "reading lamp,mixing bowl,measuring cup",
    ",",
)
GERUND_NOUN = listed("nouns.gerund_noun")
