"""Words that are not nouns: colours, materials, sizes, patterns, other adjectives, verbs, styles and media."""

from __future__ import annotations

from functools import lru_cache

from imagewright.agents.reading.nouns import GERUND_NOUN, IRREGULAR, PART, SCENE
from imagewright.agents.reading.words import words

KNOWN_COLOURS = words(
    "red orange yellow green blue purple pink brown black white gray grey cyan magenta violet indigo turquoise "
    "teal maroon navy beige tan gold golden silver lime olive crimson scarlet lavender cream ivory amber bronze "
    "coral peach khaki mauve burgundy aqua azure emerald ruby sapphire rainbow multicolored multicoloured "
    "colorful colourful rust lilac charcoal blonde blond ginger auburn reddish bluish greenish yellowish pinkish "
    "brownish purplish grayish greyish whitish blackish monochrome transparent translucent colorless fuchsia "
    "chartreuse ochre sepia pastel neon pale-blue"
)
MATERIALS = words(
    "wooden wood metal metallic glass plastic leather rubber stone brick paper cardboard fabric cotton wool "
    "woolen woollen silk velvet ceramic porcelain marble concrete steel iron copper brass crystal clay straw "
    "wicker bamboo denim fur furry fluffy lace linen felt foam ice golden clay chrome aluminum aluminium titanium "
    "granite knitted crochet jade pearl diamond chocolate sand origami lego gingerbread"
)
_SIZE_WORDS = {
    0.5: "microscopic",
    0.55: "tiny miniature",
    0.6: "mini",
    0.72: "small little petite",
    0.75: "smaller",
    0.85: "short",
    1.0: "medium medium-sized",
    1.1: "wide long",
    1.2: "tall great",
    1.25: "big large larger bigger",
    1.4: "oversized",
    1.5: "huge giant massive towering",
    1.6: "gigantic enormous colossal immense",
}
SIZE_WORDS = {word: scale for scale, text in _SIZE_WORDS.items() for word in text.split()}
"""How much larger or smaller a size word makes a thing."""
KNOWN_PATTERNS = words(
    "striped stripy stripey spotted dotted dotty checkered chequered checked plaid "
    "floral polka-dot polka-dotted patterned speckled zebra- "
    "striped tie-dye camouflage paisley houndstooth gingham tartan zigzag"
)
ADJECTIVES = words(
    "whole second third distant angular plush iridescent pungent eager unique jagged battered welcome serene "
    "old young new ancient "
    "modern antique vintage retro rustic round square rectangular triangular circular oval oblong conical cubic "
    "cylindrical spherical pyramidal pentagonal hexagonal octagonal teardrop diamond-shaped flat curved pointed "
    "sharp soft hard smooth rough rugged bumpy shiny glossy matte bright dark light dim pale vivid vibrant dull "
    "clear blurry hot cold warm cool wet dry fresh rotten ripe raw cooked baked fried grilled frozen empty full "
    "half-full open closed broken cracked shattered torn clean dirty dusty rusty muddy messy neat tidy beautiful "
    "pretty cute adorable handsome ugly elegant fancy simple plain ornate intricate detailed delicate sturdy "
    "strong weak heavy thick thin slim slender fat chubby skinny lean wide narrow deep shallow high low fast slow "
    "quick quiet loud calm peaceful serene busy crowded lonely happy sad angry cheerful smiling sleepy tired "
    "playful curious friendly fierce wild tame domestic stray majestic regal royal noble brave magical mystical "
    "enchanted fantastical surreal abstract geometric symmetrical futuristic steampunk cyberpunk gothic victorian "
    "medieval japanese chinese french italian american english german indian african asian european mexican "
    "russian greek roman egyptian spanish dutch male female human robotic mechanical electric electronic digital "
    "wireless portable vertical horizontal diagonal upright upside-down single-story tropical exotic rare common "
    "typical ordinary strange weird odd funny silly spooky scary creepy haunted cozy cosy comfortable luxurious "
    "expensive cheap rich poor sweet sour spicy salty bitter creamy crispy crunchy juicy fuzzy furry hairy bald "
    "curly wavy straight spiky prickly sleek silky slippery sticky sparkling glittering glowing gleaming "
    "shimmering sunny cloudy rainy snowy foggy misty stormy windy icy lush green-eyed leafy grassy sandy rocky "
    "mossy overgrown abandoned deserted bustling famous popular favorite traditional classic contemporary "
    "professional casual formal realistic photorealistic hyperrealistic lifelike stylized whimsical dreamy "
    "dramatic epic cinematic minimalist minimalistic cluttered fluffy woolly feathered scaly winged horned "
    "bearded masked armored armoured identical similar matching different distinct various separate own same "
    "unusual regular irregular spiral elderly middle-aged teenage adult newborn pregnant blind lovely gentle "
    "tender lively solid hollow liquid bare naked native floating flying running jumping sleeping sitting "
    "standing real fake toy stuffed wrapped folded polished painted carved decorated potted bouncy comfy stylish "
    "gorgeous stunning breathtaking scenic perfect good bad nice best fine grand magnificent splendid sliced "
    "chopped half-eaten parked unripe healthy sick injured tan-colored wise clever smart lazy grumpy evil kind "
    "mean shy proud loyal antique quaint sole visible main prominent lit unlit burning dead live fragrant crisp "
    "gnarled twisted brilliant radiant fluorescent vibrant stainless bluish tranquil sturdy rotund plump stout "
    "fit sole hefty brisk crude coarse hoarse tame lame pure solid vast fresh-baked lone blank bold brief grim "
    "lush moist null proper scarce sheer sleek slick sober stale stark stern stiff swift tart taut tense trim "
    "vague vain wry frail worn torn bent crooked tilted inverted opaque obscure secret sacred holy royal-like "
    "young-looking stern grand adjacent low-poly lowpoly"
)
NOUN_TOO = words(
    "orange gold silver glass wood metal stone brick paper plastic rubber leather ice diamond cream square oval "
    "light toy rose peach lime olive pearl chocolate crystal ginger coral ruby emerald sapphire straw sand foam "
    "rainbow cotton lace marble copper fur felt clay adult human fabric wool silk velvet iron steel cardboard "
    "lego origami bronze rust charcoal lavender lilac amber plaid teardrop american mini miniature male female "
    "giant regular spiral classic dark painting cold cool antique japanese chinese standing professional general "
    "tan jade bamboo concrete gingerbread violet mystical-creature black-bear ivory zigzag"
)

_VERBS = words(
    "sit stand lie lay run walk jump leap fly swim ride drive hold carry eat drink sleep play look stare gaze "
    "wear lean rest hang float chase follow face surround fill cover cross climb dance sing read write cook bake "
    "hit kick throw catch wait talk smile laugh cry fight hug kiss share use enjoy graze roam hover perch nap sip "
    "pose travel sail glide soar push pull hide peek sprint race skate surf ski ride gallop bark howl roar bite "
    "chew lick sniff dig bloom grow shine glow glisten sparkle illuminate light-up display feature contain show "
    "include depict portray reveal consist occupy appear see imagine draw paint create generate make render give "
    "put place position locate situate set arrange line stack pile park balance serve pour cut slice stretch "
    "reach bend kneel crouch crawl swing spin rotate fall drop sink rise emerge enter leave exit approach pass "
    "zoom lounge relax bask provide decorate adorn accompany gather meet compete practice practise say prepare "
    "wag hunt prowl swoop flap tower loom overlook stretch-out burn melt drip flow crash splash want need like "
    "love have get take bring keep let remain stay belong attach connect support touch grip clutch wrap inspect "
    "examine watch observe sell buy clean wash brush comb shave type knit sew build repair fix protect guard "
    "bounce roll slide stalk flutter adorn flank nestle tuck snuggle cuddle huddle curl march explore wander "
    "stroll juggle toss pick pluck plant water feed pet stroke sprinkle scatter spread separate divide jut blend "
    "contrast seem featuring exclude avoid omit skip remove design compose fit host house line stargaze meditate "
    "exercise wave point nod bow clap cheer celebrate pray study teach learn listen hear speak shout whisper call "
    "wander"
)
# Verb forms that are nouns far more often in prompts.
_NOUN_FIRST = words(
    "park parks water plant plants house houses swing swings brush brushes comb show shows display displays face "
    "faces cover light lights race surf skate skates ski skis drink drinks slide slides drop drops bow bows pet "
    "pets watch watches point points line lines stack stacks pile piles set sets place places tower towers cut "
    "bark slice slices type host support toss spread cross rest stroke play wave waves fall falls hug kiss cook "
    "cooks guard guards burn exit practice feed study like have use make position design designs look looks "
    "building buildings painting paintings drawing drawings setting saw float floats catch sink sinks can will "
    "ring fly flies dance nap leaves fit rose roll rolls push pull call calls share throw separate hit balance "
    "exercise melt crash splash love leap left"
)
BASE_VERBS = words(
    "sit stand lie run walk jump fly swim ride drive hold carry eat sleep stare gaze wear lean hang chase follow "
    "surround fill climb sing read write bake kick wait talk smile laugh cry fight enjoy graze roam hover perch "
    "sip pose travel sail glide soar peek sprint gallop howl roar bite chew lick sniff dig bloom grow shine glow "
    "contain include depict appear see draw paint play look rest float dance share face cover cross race use have "
    "make display feature show"
)
AUXILIARY = words(
    "is are was were be been being am will would should shall can could may might must do does did doing has have "
    "had having sits stands lies sat stood lay lain"
)
COPULA = words(
    "looking feeling getting becoming remaining turned is are was were be looks look appears seems colored "
    "coloured painted"
)
IRREGULAR_FORMS = words(
    "found sped blew drew spun wove led fed hid met bit bought taught built broke spoke woke froze tore shook struck "
    "stuck crept swept sat stood lay lain lying ran flew swam rode drove held ate drank slept wore hung threw "
    "caught wrote sang grew shone fell rose sank swung spun bent knelt hidden seen shown made drawn placed put "
    "set given held worn driven ridden eaten hung lit spread laid kept gave took brought got came come comes "
    "coming go goes going gone went lit cast flanked tied dying lies made surrounded filled covered seated "
    "located situated positioned arranged parked consisting"
)


def _forms(stem: str) -> tuple[str, ...]:
    """The inflected forms of a regular verb."""
    cut = stem[:-1] if stem.endswith("e") and not stem.endswith("ee") else stem
    twice = stem + stem[-1]
    ies = (stem[:-1] + "ies", stem[:-1] + "ied") if stem.endswith("y") and stem[-2] not in "aeiou" else ()
    s = stem + ("es" if stem.endswith(("s", "sh", "ch", "x", "z", "o")) else "s")
    return (s, cut + "ing", cut + "ed", twice + "ing", twice + "ed", *ies)


ALL_FORMS = frozenset(form for stem in _VERBS for form in (stem, *_forms(stem)))
"""Every form of every listed verb, those that are mostly nouns ("watches") included."""
VERB_FORMS = (frozenset(f for stem in _VERBS for f in _forms(stem)) | IRREGULAR_FORMS | AUXILIARY) - _NOUN_FIRST
IMPERATIVES = words(
    "leave keep draw paint create generate make render show give put place picture imagine depict sketch illustrate "
    "produce "
    "design visualize visualise compose include position set avoid please have let want need see like get do add "
    "arrange"
)
MEDIA = words(
    "photo photograph picture image painting drawing illustration sketch render rendering portrait cartoon "
    "watercolor watercolour shot view close-up closeup depiction artwork snapshot wallpaper screenshot scan "
    "artpiece print engraving mural fresco mosaic collage comic etching lithograph pic photography doodle graphic "
    "visualization representation outline lineart line-art art clipart clip-art woodcut linocut gouache "
    "drypoint aquatint silkscreen storyboard"
)
KNOWN_STYLES = words(
    "detailed watercolor watercolour watercolors watercolours anime manga cartoon photorealistic hyperrealistic "
    "photorealism impressionism impressionist surrealism surrealist expressionist cubism cubist minimalism "
    "baroque renaissance ukiyo-e steampunk cyberpunk vaporwave synthwave lowpoly low-poly pixelart isometric "
    "claymation gouache pastel pastels acrylic charcoal ink linocut woodcut hdr bokeh 4k 8k uhd hd cinematic "
    "photography realism photorealistic 3d cgi octane unreal vector pixar disney ghibli artstation masterpiece "
    "photo photograph painting illustration sketch render drawing art noir monochrome macro closeup close-up "
    "wallpaper cel-shaded hyperdetailed hyper-realistic photo-realistic outline outlines outlined lineart line-art "
    "clipart clip-art hand-drawn crayon crayons pixelated cartoonish"
)
MANNERS = words(
    "flat soft minimal minimalist minimalistic stylized stylised abstract dreamy whimsical sketchy painterly"
)
"""Adjectives that, said of nothing, are said of the whole picture: "two cats and a dog, soft"."""
DRAWING_TOOLS = words("pencil pencils pen crayon crayons chalk oil oils ink marker markers charcoal pastels brush")
"""What a picture is drawn "in" or "with"; without such a word they are things."""
STYLE_HEADS = words(
    "view style art painting drawing render rendering illustration sketch photo photograph photography lighting "
    "quality resolution aesthetic print lens film detail details engine palette shot tones texture-style "
    "artstation exposure bokeh"
)
ADVERBS = words(
    "very quite really extremely just only also too even still almost nearly exactly together apart away nearby "
    "along around up down out off there here then now today always never often instead simply directly "
    "immediately else next peacefully quietly precisely approximately about roughly clearly fully partially "
    "partly completely not somewhere forward backward sideways overhead ahead closely side-by-side please maybe "
    "perhaps respectively however alone"
)
NOT_ADVERB = words(
    "fly butterfly lily family jelly belly bully holly ally firefly dragonfly assembly doily friendly lovely ugly "
    "silly curly woolly lonely elderly holy oily early lively hilly italy july housefly gully anomaly panoply "
    "teddy fuzzy"
)
NOT_ADJECTIVE = words(
    "animal hospital crystal metal petal pedal medal cathedral terminal signal mural jewel musical fossil table "
    "cable vegetable magic fabric music picnic mechanic traffic comic olive archive hive dive drive wive glove "
    "detective elephant giant plant restaurant pendant pirate bed seed weed shed sled red reed steed berry cherry "
    "puppy kitty bunny pony baby lady fairy body toy boy city monkey donkey turkey key tray candy party jelly "
    "daisy teddy butterfly fly poppy lily story strawberry blueberry raspberry blackberry cranberry canary daddy "
    "mummy penny hockey trophy ruby lobby ivy cemetery bakery library gallery factory brewery battery cutlery "
    "jewelry jewellery pottery grocery nursery kiwi president student agent tent parent scent cent orient talent "
    "bishop spirit goblet fish dish radish goldfish jellyfish starfish parish polish swordfish catfish shellfish "
    "garlic attic arctic alien queen kitchen oven hen pen chicken kitten garden raven maiden den warren linen "
    "omen token coven wagon lemon astronaut sky spy army navy dairy diary family history country county ferry fry "
    "pastry pantry laundry sentry entry enemy ally chimney honey money journey jersey kidney trolley valley alley "
    "volley guy buy day bay clay highway way play spray subway ray hay smoothie bowtie taxi sari salami spaghetti "
    "broccoli zucchini needle candle ball tablecloth musician magician politician librarian guardian martian "
    "indian barbarian centurion pelican watermelon wooden hoody husky whiskey whisky jockey buddy dummy granny "
    "nanny bully cowboy belly sherry curry movie ivory century category property sculpture"
)
_SUFFIXES = (
    "y",
    "ful",
    "ous",
    "ish",
    "ic",
    "al",
    "ive",
    "less",
    "able",
    "ible",
    "ed",
    "ing",
    "ese",
    "esque",
    "like",
    "ly",
)


@lru_cache(maxsize=4096)
def is_adjective(word: str) -> bool:
    """Whether ``word`` is an adjective for certain or by the look of its ending."""
    if word in KNOWN_COLOURS or word in MATERIALS or word in SIZE_WORDS or word in KNOWN_PATTERNS or word in ADJECTIVES:
        return True
    if word.endswith("'s") or word.endswith("s'"):
        return True
    if "-" in word:
        tail = word.rpartition("-")[2]
        return (
            tail in KNOWN_COLOURS
            or tail in ADJECTIVES
            or tail in {"free", "eyed"}
            or tail.endswith(("ed", "shaped", "like", "sized", "style", "old", "ing"))
        )
    if (
        word in NOT_ADJECTIVE
        or word in IRREGULAR
        or word in GERUND_NOUN
        or word in PART
        or word in SCENE
        or len(word) < 5
    ):
        return False
    return word.endswith(_SUFFIXES)


def is_strict_adjective(word: str) -> bool:
    """Whether ``word`` is an adjective for certain, and never a noun."""
    known = (
        word in KNOWN_COLOURS or word in MATERIALS or word in SIZE_WORDS or word in KNOWN_PATTERNS or word in ADJECTIVES
    )
    return known and word not in NOUN_TOO


@lru_cache(maxsize=4096)
def is_adverb(word: str) -> bool:
    """Whether ``word`` only modifies: "very", "slowly"."""
    return word in ADVERBS or (
        word.endswith("ly") and len(word) > 4 and word not in NOT_ADVERB and not is_strict_adjective(word)
    )


@lru_cache(maxsize=4096)
def is_verb(word: str) -> bool:
    """Whether ``word`` is a verb form for certain or by the look of its ending, seen after a noun."""
    if word in VERB_FORMS:
        return True
    if (
        word.endswith("ed")
        and len(word) > 4
        and not word.endswith("eed")
        and word not in {"shed", "sled", "watershed", "hundred"}
    ):
        return True
    return word.endswith("ing") and len(word) > 5 and word not in GERUND_NOUN


LINKS = words(
    "in on at by from through along across over under above below beneath near behind beside inside during into "
    "against around between among amid amidst outside toward towards with of next within underneath"
)
"""Words that begin a piece of background that needs no comma before it."""
RIDING = words("riding rides ride rode straddling mounting mounted saddling")
WEARING = words("wearing wears wear wore dressed clad sporting")
ATTACHING = words(
    "filled covered made shaped dressed decorated topped labeled labelled adorned crafted carved constructed full "
    "crowned loaded packed built wrapped draped marked printed engraved embroidered saying says reading lined "
    "dripping bursting consisting composed"
)
"""Words whose "of/with/in …" describes the thing before them."""
HAVING = words("has have having had holds contains includes including shows features featuring displays")
