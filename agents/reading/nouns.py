"""Nouns for the rules agents: number, irregular plurals, and what kind of thing a noun names.

The tables only sharpen the reading of frequent words; a noun that is in none of them is still read and placed.
"""

from __future__ import annotations

from functools import lru_cache

from imagewright.agents.reading.words import words

IRREGULAR = {
    "men": "man",
    "women": "woman",
    "children": "child",
    "people": "person",
    "persons": "person",
    "mice": "mouse",
    "geese": "goose",
    "teeth": "tooth",
    "feet": "foot",
    "oxen": "ox",
    "dice": "die",
    "lice": "louse",
    "cacti": "cactus",
    "fungi": "fungus",
    "octopi": "octopus",
    "hippopotami": "hippopotamus",
    "nuclei": "nucleus",
    "leaves": "leaf",
    "knives": "knife",
    "wolves": "wolf",
    "shelves": "shelf",
    "loaves": "loaf",
    "halves": "half",
    "scarves": "scarf",
    "calves": "calf",
    "elves": "elf",
    "thieves": "thief",
    "wives": "wife",
    "lives": "life",
    "hooves": "hoof",
    "dwarves": "dwarf",
    "bookshelves": "bookshelf",
    "selves": "self",
    "grandchildren": "grandchild",
    "axes": "axe",
    "pickaxes": "pickaxe",
    "moustaches": "moustache",
    "mustaches": "mustache",
    "quizzes": "quiz",
    "buses": "bus",
    "busses": "bus",
    "buss": "bus",
    "gases": "gas",
    "lenses": "lens",
    "irises": "iris",
    "canvases": "canvas",
    "atlases": "atlas",
    "pancreases": "pancreas",
    "sheeps": "sheep",
    "fishes": "fish",
    "houses": "house",
    "blouses": "blouse",
    "spouses": "spouse",
    "fuses": "fuse",
    "muses": "muse",
    "greenhouses": "greenhouse",
    "lighthouses": "lighthouse",
    "warehouses": "warehouse",
    "shoes": "shoe",
    "canoes": "canoe",
    "toes": "toe",
    "oboes": "oboe",
    "horseshoes": "horseshoe",
    "tiptoes": "tiptoe",
    "criteria": "criterion",
    "bacteria": "bacterium",
    "snowmen": "snowman",
    "aircrafts": "aircraft",
    "cookies": "cookie",
    "movies": "movie",
    "pies": "pie",
    "ties": "tie",
    "zombies": "zombie",
    "hoodies": "hoodie",
    "brownies": "brownie",
    "smoothies": "smoothie",
    "pixies": "pixie",
    "genies": "genie",
    "magpies": "magpie",
    "selfies": "selfie",
    "birdies": "birdie",
    "collies": "collie",
    "huskies": "husky",
    "bow-ties": "bow-tie",
    "skiss": "skis",
    "scissorss": "scissors",
    "huskys": "husky",
    "yetis": "yeti",
    "caves": "cave",
}

# Same form for one and many.
INVARIANT = words(
    "sheep fish deer moose bison salmon trout shrimp squid aircraft spacecraft hovercraft swine series species "
    "offspring cattle elk reindeer cod tuna shellfish jellyfish starfish goldfish swordfish catfish koi sushi"
)
# Always written as a plural, and one thing all the same.
PLURAL_TANTUM = words(
    "scissors trousers pants jeans shorts skis glasses eyeglasses sunglasses spectacles binoculars tongs pliers "
    "pajamas pyjamas tights leggings headphones earphones goggles tweezers shears overalls clothes stairs"
)
ENDS_IN_S = words(
    "bus gas lens iris canvas atlas yes christmas tennis chess gymnastics mathematics physics texas paris news "
    "chassis oasis basis crisis analysis ibis pelvis clematis debris axis thesis trellis portcullis bias pancreas "
    "virus campus circus cactus octopus walrus hippopotamus platypus fungus lotus crocus hibiscus sarcophagus "
    "stegosaurus brontosaurus tyrannosaurus pegasus venus zeus citrus asparagus bonus status genus always perhaps "
    "plus us this his its thus various mars headquarters sports cosmos chaos asparagus"
)
NOT_MEN = words("omen specimen abdomen ramen regimen amen acumen hymen")
OES = words(
    "tomatoes potatoes heroes mangoes echoes torpedoes volcanoes buffaloes flamingoes mosquitoes cargoes dominoes "
    "tornadoes mosaicoes zeroes avocadoes haloes"
)


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


_BACK = {
    one: many
    for many, one in IRREGULAR.items()
    if not many.endswith(("sss", "yss"))
    and many
    not in {
        "persons",
        "busses",
        "buss",
        "sheeps",
        "fishes",
        "aircrafts",
        "huskys",
        "octopi",
        "hippopotami",
        "skiss",
        "scissorss",
    }
}


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
SCENE = words(
    "hour park beach forest woods woodland street city cityscape sky ocean sea seaside desert kitchen room bedroom "
    "bathroom garden field meadow snow grass lawn road highway space outerspace night nighttime daytime dusk dawn "
    "day sunset sunrise twilight jungle rainforest farm zoo restaurant cafe café office classroom studio library "
    "museum stadium court station airport market supermarket store shop countryside village town landscape "
    "seascape skyline hillside valley cliff shore coast coastline water wall floor ground background backdrop "
    "scene scenery world rain fog mist storm thunderstorm universe galaxy playground harbor harbour dock pier "
    "underwater air outdoors indoors outside wilderness savanna savannah tundra alley alleyway sidewalk pavement "
    "driveway backyard yard courtyard garage basement attic hallway corridor livingroom dining-room lobby gym "
    "cinema theater theatre auditorium ballroom hospital factory warehouse construction intersection crosswalk "
    "plaza square-plaza suburb downtown neighborhood neighbourhood riverbank lakeside waterfront orchard vineyard "
    "cornfield pasture prairie canyon swamp marsh glacier horizon winter summer autumn spring evening morning "
    "afternoon noon midnight moonlight sunlight sunshine daylight darkness dark weather christmas halloween "
    "interior exterior environment setting atmosphere surroundings terrain nebula cosmos void dreamscape "
    "wonderland race marathon concert festival parade party wedding slope slopes track pitch runway bakery pub "
    "zoo barnyard ceiling lab laboratory workshop marketplace mall wood-floor rooftop balcony patio deck terrace "
    "greenhouse cave sand mud lava clouds mountains hills trees stars waves dunes fields woods plains woodlands "
    "skies ruins streets surface apartment nature seabed reef ocean-floor countertop mountainside distance "
    "foreground"
)
SCENE_COMPOUND = words(
    "parking lot,living room,dining room,outer space,train station,bus station,gas station,"
    "coffee shop,shopping mall,swimming pool,city street,ski slope,train tracks,railroad tracks,"
    "train track,tennis court,ice rink,night sky,deep sea,fish tank,milky way,time square,"
    "times square,town square,city square,new york,rice field,bus stop,flower field,bowling alley,"
    "hotel lobby,front yard,cobblestone street,golf course,scenic course",
    ",",
)
# Nouns that are a place after "in", "on", "at", "through" and a thing anywhere else.
SOFT_SCENE = words(
    "mountain hill lake river pond pool island moon planet bridge castle church temple palace tower house "
    "building home cloud sun sunflower wave tree barn tent stream waterfall creek canal fountain volcano iceberg "
    "earth mars rink arena course trail path tunnel porch stage hut cottage cabin campsite camp aquarium nest "
    "school university college bank hotel bar court mosque cathedral monastery fortress puddle aisle stairs "
    "staircase"
)
FRAME = words(
    "image picture photo photograph frame canvas shot painting drawing illustration composition view artwork page "
    "scene design screen prompt layout"
)
PICTURE = words("painting photo photograph drawing picture illustration canvas")
WEARABLE = words(
    "hat cap scarf glasses sunglasses eyeglasses helmet coat jacket dress shirt t-shirt tshirt tie suit crown shoe "
    "boot glove belt necklace hood uniform costume mask sweater hoodie skirt vest apron cape cloak bracelet earring "
    "pants jeans shorts trousers kimono gown robe bell ribbon"
)
FURNITURE = words(
    "table chair bench sofa couch bed desk shelf bookshelf stool rack hook hanger box basket bag suitcase drawer "
    "wardrobe closet cupboard cabinet dresser armchair counter floor tray crate chest bucket car truck bus bicycle"
)
# What belongs to its owner after "with", "wearing", "in" or "has".
PART = words(
    "collar hat cap scarf glasses sunglasses eyeglasses helmet coat jacket dress shirt t-shirt tshirt tie suit "
    "beard moustache mustache hair fur mane tail ear eye nose mouth smile wing horn handle lid leg wheel roof "
    "label ribbon bow crown shoe boot glove belt necklace pattern texture paw claw tooth tongue feather antler "
    "tusk shell button pocket sleeve arm hand foot head face neck skin beak whisker stripe spot dot petal stem "
    "leaf strap lens hood uniform costume mask sweater hoodie skirt vest apron cape cloak armor armour bandana "
    "bell tag trim rim edge border cover frosting icing sprinkle topping expression look shade tint finish fringe "
    "tassel sail mast chimney shutter seat cushion heel lace string design motif background collarbone freckle "
    "makeup lipstick earring bracelet pants jeans shorts trousers kimono gown robe leash saddle mouthpiece flame "
    "wick steam smoke foam cream outline shadow reflection glow"
)
STOP_NOUN = words(
    "thing things object objects item items anything everything something nothing else sign trace sight lot lots "
    "way kind sort type total number row line circle-line order front back side sides left right top bottom "
    "middle center centre corner half part rest other others one ones each both all it them this that these those "
    "there here company addition time place presence case fact style manner view while total sum ensemble hand "
    "lookout general everyone anyone nobody somebody someone none whole him her me you us they we he she i what "
    "who whom which"
)
TALL = words(
    "person man woman boy girl child kid lady guy tower bottle tree giraffe lamp vase lighthouse skyscraper "
    "building candle door refrigerator fridge soldier astronaut robot chef doctor nurse king queen wizard knight "
    "princess prince ballerina dancer pencil pen toothbrush tie traffic-light flower rose tulip sunflower cactus "
    "umbrella-stand hydrant meter wineglass glass flamingo penguin heron ostrich llama statue snowman scarecrow "
    "rocket obelisk column pillar ladder guitar violin cello fork spoon knife parking-meter fire-hydrant "
    "waterfall surfer skier actor grandmother grandfather mother father baby teacher clown pirate phone cellphone "
    "remote bear-standing owl meerkat kangaroo clock-tower"
)
WIDE = words(
    "car bus train truck couch sofa bed snake bench boat ship airplane plane jet bicycle bike motorcycle table "
    "desk crocodile alligator lizard whale shark dolphin fish limousine van submarine keyboard skateboard "
    "surfboard snowboard laptop sandwich shelf horse cow pig dog lion tiger elephant hippo hippopotamus rhino "
    "zebra sheep bridge sword banana bread baguette canoe kayak tank sled sleigh tractor taxi suv rug carpet skis "
    "scissors sink dragon fence log river crab turtle tortoise beetle caterpillar bathtub sunglasses glasses "
    "eyeglasses piano microwave toaster oven-wide"
)
AIRBORNE = words(
    "bird airplane plane jet helicopter kite balloon cloud sun moon star butterfly bee dragonfly drone eagle hawk "
    "seagull rainbow ufo spaceship rocket bat dove parrot hummingbird comet"
)
ABSTRACT = words(
    "love happiness joy sadness beauty imagination melody music ambiance ambience mood feeling sense taste scent "
    "aroma smell sound touch warmth comfort relief contrast form testament ingenuity ambition possibility harmony "
    "peace silence freedom hope dream energy power time life nature-like motion movement speed color colour size "
    "shape-like detail quality style action study focus attention happiness balance contact position manner "
    "purpose fun care ease delight wonder grace elegance"
)
SHAPE_NOUNS = words(
    "circle square triangle star heart rectangle oval hexagon pentagon octagon diamond cube sphere cone cylinder "
    "pyramid ellipse rhombus trapezoid crescent cross ring spiral polygon prism line dot"
)
COMPOUND = words(
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
GERUND_NOUN = words(
    "building painting drawing ring king wing string thing ceiling clothing earring wedding evening morning "
    "spring sling pudding swing duckling dumpling stocking railing crossing sibling darling wing lightning "
    "frosting icing sapling viking being offspring bling fling topping lettering setting rendering dwelling "
    "opening gosling seedling herring starling stuffing seasoning awning fencing packing parking icing anything "
    "everything nothing something during"
)
