"""What people say that changes no picture by itself: undo, go back, one more, why, thumbs, lasting wishes.

Each reader takes a saying in plain form (``simplify_saying``) and gives an ``AnyIntent``, or None where it is something
else.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from imagewright.agents.conversation.chat_words import plain_words
from imagewright.agents.conversation.targets import find_picture
from imagewright.agents.reading import styling
from imagewright.agents.reading.lexicon import KNOWN_COLOURS
from imagewright.agents.reading.numbers import read_number
from imagewright.agents.reading.parse import parse_prompt
from imagewright.intents import (
    AnyIntent,
    BranchIntent,
    FeedbackIntent,
    Preference,
    PreferenceIntent,
    QuestionIntent,
    Reference,
    Topic,
    UnclearIntent,
    UndoIntent,
    VaryIntent,
)

_POLITE = re.compile(
    r"^(?:(?:ok(?:ay)?|well|hm+|now|so|and|then|but|please|just|maybe|actually|great|nice|good|perfect|cool|"
    r"thanks|yes|"
    r"no wait|wait|oh|hey|alright|sorry)[,!.]*\s+(?!one\b)|(?:can|could|would|will) (?:you|we) (?:please )?(?!see)|"
    r"(?:i'd|i would) (?:like|love|want|prefer) (?:you )?to (?:see )?|i want (?:you )?to (?:see )?|let'?s |let us |"
    r"go ahead and |try to |try (?=making|moving|adding))",
)
_UNDO = re.compile(
    r"(?:(?:please )?(?:undo|revert)(?: (?:that|it|this|(?:the |that )?last (?:one|change|edit|step|bit|thing)|"
    r"the change|the edit))?|"
    r"take (?:that|it) back|(?:go )?(?:one )?(?:step )?back(?: (?:one|a) step)?|go back(?: one| once)?|never "
    r"?mind(?: that)?|"
    r"(?:as|like|how) it was(?: before)?|"
    r"put it back(?: (?:as|how|like) it was(?: before| a (?:second|moment|minute) ago)?)?|"
    r"(?:back to )?the previous (?:one|picture|image|version)|"
    r"(?:go )?back to (?:the )?(?:previous|last) (?:one|picture|image|version)|that was better before|it was "
    r"better before)"
    r"(?: (?P<times>twice|once|(?P<n>\w+) (?:times|steps|turns)))?"
)
_BRANCH = re.compile(
    r"(?:go|take me|bring me|let's go|switch|return|get|change|revert|roll)? ?(?:us )?back to (?P<a>.+)|"
    r"(?:return|revert|switch) to (?P<b>.+)|(?:continue|go on|carry on|proceed|work|start) (?:with|from|on) "
    r"(?P<c>.+)|"
    r"(?:use|pick|take|choose|keep|select) (?P<d>(?:the )?(?:\w+ (?:one|picture|image|version|try)|(?:picture|"
    r"image|version|number|no) \w+))|"
    r"(?:picture|image|number|version) (?P<e>\d+)|as it was (?:with|in|at) (?P<f>.+)|i (?:liked|preferred|like|"
    r"prefer) (?P<g>the .+?)(?: better| more| best)"
)
_VARY = re.compile(
    r"(?:(?:give|show|draw|make|do|get|let) (?:me |us )?(?:have )?)?"
    r"(?:(?:one|once) more(?: (?:time|try|version|like (?:this|that|it)|of (?:these|those|them|this)))?|"
    r"another(?: (?:one|try|version|go|take|variation|picture|image))?(?: like (?:this|that|it))?|"
    r"(?:the )?same(?: thing)?(?: again)?(?:,? but)? roll the dice(?: again)?|roll the dice(?: again)?|"
    r"try again,? (?:the )?same(?: thing)?|"
    r"(?:try |do it |once )?again|try (?:another|a different)(?: (?:one|seed))?|(?:a |another "
    r")?variation(?:s)?(?: (?:of|on) (?:this|that|it))?|"
    r"vary(?: (?:it|this|that))?|reroll|re-roll|redo(?: it| this)?|redraw(?: it| this)?|more(?: (?:like (?:this|"
    r"that|it)|please))?|next(?: one)?|"
    r"(?:a |with a |use a |try a |same with a |the same with a |the same,? (?:but )?)?(?:new|different|another|"
    r"other|fresh|random) seed|"
    r"something (?:like (?:this|that|it)|different|similar)|(?:a )?(?:different|other|similar|new) (?:one|"
    r"version)|a different version|surprise me)"
    r"(?:,? please)?"
)
_LIKE = re.compile(
    r"(?:(?:one|another|something|more|draw|make|give me|i want|again)?,? ?(?:one )?(?:more )?(?:like|as|similar "
    r"to|based on|a variation of|vary)) (?P<which>.+)"
)
_BARE_LIKE = re.compile(r"(?:like|as) ")
"""Just "like the first one" is that picture again: with its seed."""
_SEED = re.compile(
    r"(?:(?:again |the same |same |try |draw |use |take )?(?:it )?(?:but )?(?:with |use |using )?)?(?:the )?seed "
    r"(?:number )?(?P<seed>\d{1,20})"
)
_UP = re.compile(
    r"(?:\+1|thumbs? up|👍\ufe0f?|❤\ufe0f?|i (?:really )?(?:like|love) (?:it|this|that|this one|that one|this "
    r"picture|this image|it a lot)|love (?:it|this)|"
    r"like (?:it|this)|(?:that'?s |this is |it'?s |looks? |that looks |this looks )?(?:very |really |so )?(?:good|"
    r"great|nice|perfect|excellent|wonderful|beautiful|awesome|lovely|cool|fantastic|brilliant|amazing)(?: (?:one|"
    r"job|work|picture|image))?|"
    r"(?:that|this) one is (?:great|good|perfect|nice|lovely|the best|it)|"
    r"(?:i'll|i will) (?:take|keep|have) (?:it|this|"
    r"that)(?: one)?|well done|good job|nice (?:one|work)|yes|thanks|thank you|upvote)"
)
_DOWN = re.compile(
    r"(?:-1|thumbs? down|👎\ufe0f?|i (?:really )?(?:don't|do not|dont) like (?:it|this|that|this one|that one|this "
    r"picture)|i hate (?:it|this|that)|hate it|dislike(?: it| this)?|"
    r"(?:that'?s |this is |it'?s |looks? |that looks |this looks )?(?:very |really |so |just )?(?:bad|ugly|"
    r"terrible|awful|wrong|horrible|poor|not good|not great|disappointing)(?: (?:one|job|work|picture|image))?|"
    r"downvote|no good|not good|(?:(?:that|this|it)(?:'s| is|'s really| is really)? not|not|(?:that|this|it) isn'?t)"
    r"(?: at all| really| quite)? what i (?:wanted|asked for|meant|said|had in mind|was (?:after|looking for))|"
    r"no(?:[, ]+no)+)"
)
_QUESTION = re.compile(
    r"(?:why|how (?:come|did|was|long|much|many|good|sure|confident|certain|is|are|does)|are you|describe|which|"
    r"what(?:'s|s)?|where|who|when|explain|tell me (?:why|about|"
    r"which|what|how)|show me (?:the )?(?:layout|prompt|seed|flow|trace)|is (?:it|there|this)|did|does|do you|"
    r"(?:is|are|was|were|has|have) (?:the|there|they|both|all|any|these|those)(?= .* ))\b.*"
)
_TOPICS: tuple[tuple[Topic, str], ...] = (
    (
        "world",
        r"^(?:what|which)(?: \w+)?(?: all)? (?:can|could|do) (?:you|this|it|the model|mini) (?:draw|paint|make|know|do)"
        r"|what is possible|what can be drawn|what do you know",
    ),
    (
        "change",
        r"what(?:'s| is| was| has| have| did)? ?(?:you |been |was |is )*(?:chang|differ|edit|done|new\b)|what did "
        r"you do",
    ),
    ("sureness", r"how (?:sure|confident|certain)|are you (?:sure|certain|confident)|confiden"),
    ("colour", r"^why (?:is|are|did|was|were)\b.*\b(?:@COLOURS@)\b|^what colou?r"),
    (
        "look",
        r"what (?:does|do|did) (?:it|this|that|the \w+|they) look like|what(?:'s| is| do you see)? (?:there |in |"
        r"on )+(?:it|the "
        r"(?:picture|image)|this)|describe|what (?:is|'s) (?:it|this|that)$|what do you see|what am i looking at|"
        r"what's in|what is "
        r"in",
    ),
    ("preferences", r"prefer|know about me|my taste|remember"),
    ("flow", r"flow|workflow|model|checkpoint|chosen|choose|pick(?:ed)?\b"),
    ("seed", r"\bseed\b"),
    ("layout", r"layout|where|placed|position|boxes"),
    ("prompt", r"prompt|words|text"),
    ("cost", r"long|cost|seconds|time|expensive|tokens|how many (?:pictures|images|rounds|tries)"),
    ("look", r"^(?:is|are|was|were|does|has|have) (?:the|there|they|both|all|any|it|these|those)\b(?!.*\bright$)"),
    ("verdict", r"wrong|critic|score|accepted|check|good|verdict|bad|right\b"),
)
_TOPICS = tuple((topic, pattern.replace("@COLOURS@", "|".join(sorted(KNOWN_COLOURS)))) for topic, pattern in _TOPICS)
_TONES = re.compile(
    r"(?:\w+ )?(?:pastel|muted|bright|vivid|dark|warm|cool|soft|earthy|neon|bold|pale|rich) (?:colou?rs?|tones?|"
    r"palettes?|shades?)"
)
_STYLE = re.compile(
    r"(?:i (?:generally |usually |always |really |do )?(?:like|love|prefer|want|enjoy)|always (?:draw|use|make|"
    r"paint|do)(?: (?:it|them|things|everything|pictures|images))?|from now on,?(?: (?:use|draw|paint|always))?) "
    r"(?:in |as |with )?(?P<a>.+?)(?: (?:from now on|always|in general|best|most|by default|pictures|images))*"
)
_NEVER = re.compile(
    r"(?:never(?: ever)?(?: (?:draw|put|use|show|add|include|any|want|write))?(?: (?:me|any))?|i (?:never|don't "
    r"ever|do not ever) want(?: to see)?(?: any)?|i (?:really )?(?:hate|dislike|can't stand)|i (?:don't|do not|"
    r"dont) (?:like|want)(?: (?:to see|any))?) (?!(?:the|that|this|those|these) )(?P<a>.+?)"
    r"(?: (?:ever(?: again)?|again|please|in (?:my|any) "
    r"(?:pictures|images)|from now on|anymore|any more))*"
)
_FORGET = re.compile(
    r"(?:forget (?:that i (?:like|love|prefer|hate)|about|that(?! thing))|forget(?= the )|i no longer (?:like|"
    r"want|care about|mind|hate)|"
    r"stop (?:using|drawing|painting)(?: in| everything in)?|switch off|turn off) (?P<a>.+?)(?: (?:always|by "
    r"default|from now on|everywhere|as a preference))*|(?P<b>\w[\w ]*?) (?:is|are) (?:ok(?:ay)?|fine|allowed)(?: "
    r"again| now)?"
)


_COURTESY = re.compile(r"(?:,? (?:please|thanks|thank you|instead of that|i think|from me|for me))+$")


def simplify_saying(text: str) -> str:
    """``text`` in lower case and in plain words, without courtesies, closing marks and curly quotes."""
    said = " ".join(text.lower().replace("\u2019", "'").split()).strip(' .!"')
    before = None
    while before != said:
        before, said = said, _POLITE.sub("", plain_words(said)).strip(" ,")
    return _COURTESY.sub("", said) or before


def read_command(said: str, pictures: Sequence[Reference]) -> AnyIntent | None:
    """Undo, go back to, vary, a question, a thumb."""
    live = [picture for picture in pictures if picture.live]
    if found := _UNDO.fullmatch(said):
        return _undo(found, live)
    if (found := _BRANCH.fullmatch(said)) and (branch := _branch(found, pictures)):
        return branch
    base = live[-1].run if live else ""
    if _UP.fullmatch(said) or _DOWN.fullmatch(said):
        return _needing(live, FeedbackIntent(thumb="up" if _UP.fullmatch(said) else "down", base=base))
    if found := _SEED.fullmatch(said):
        return _needing(live, VaryIntent(base=base, seed=int(found["seed"]) % 2**64))
    if _VARY.fullmatch(said):
        return _needing(live, VaryIntent(base=base))
    if (found := _LIKE.fullmatch(said)) and (like := find_picture(found["which"], pictures)):
        return VaryIntent(base=like.run, seed=like.seed if _BARE_LIKE.match(said) else None)
    return None


def read_question(said: str, asked: bool, pictures: Sequence[Reference]) -> AnyIntent | None:
    """A question about a picture or the person's wishes; ``asked`` says that it ended in a question mark."""
    if not (_QUESTION.fullmatch(said) and (asked or len(said.split()) <= 12)) and said != "trace":
        return None
    live = [picture for picture in pictures if picture.live]
    topic: Topic = next((topic for topic, words in _TOPICS if re.search(words, said)), "picture")
    which = re.search(r"(?:picture|image|number) \d+|the (?:\w+) (?:one|picture|image)\b", said)
    about = find_picture(which[0], pictures) if which else None
    base = about or (live[-1] if live else None)
    thing = (
        re.search(r"\b(?:is|are|was|were|of|did) (?:the |my |this |that )?([a-z-]+)\b", said)
        if topic == "colour"
        else None
    )
    return QuestionIntent(topic=topic, base=base.run if base else "", about=thing[1] if thing else "")


def read_preference(said: str) -> AnyIntent | None:
    """A lasting wish: a style that is liked, or a thing that must never appear; or its end."""
    if found := _FORGET.fullmatch(said):
        what = re.sub(r"^the | (?:thing|wish|rule|stuff|preference)$", "", (found["a"] or found["b"]).strip())
        return _preference(what, on=False)
    if (found := _NEVER.fullmatch(said)) and (wish := _never(found["a"])):
        return PreferenceIntent(preference=wish)
    if found := _STYLE.fullmatch(said):
        return _preference(found["a"], on=True, style_only=True)
    return None


def _needing(live: Sequence[Reference], intent: AnyIntent) -> AnyIntent:
    """``intent``, where there is a picture that it can be about."""
    if live:
        return intent
    return UnclearIntent(reason="there is no picture yet; what shall I draw?")


def _undo(found: re.Match[str], live: Sequence[Reference]) -> AnyIntent:
    times = 2 if found["times"] == "twice" else read_number(found["n"]) if found["n"] else 1
    if len(live) < 2:
        reason = "there is nothing to go back to: this is the first picture" if live else "there is nothing to undo yet"
        return UnclearIntent(reason=reason)
    return UndoIntent(base=live[max(len(live) - 1 - times, 0)].run)


def _branch(found: re.Match[str], pictures: Sequence[Reference]) -> AnyIntent | None:
    which = next(text for text in found.groups() if text is not None)
    picture = find_picture(which, pictures)
    if picture is not None:
        return BranchIntent(base=picture.run)
    certain = found["d"] is None and found["g"] is None
    return UnclearIntent(reason=f"no picture of this conversation is {which!r}") if certain and pictures else None


def _never(what: str) -> Preference | None:
    parsed = parse_prompt(what)
    if parsed.style:
        return Preference(kind="never", text=parsed.style[0])
    return Preference(kind="never", text=parsed.groups[0].object) if len(parsed.groups) == 1 else None


def _preference(what: str, *, on: bool, style_only: bool = False) -> AnyIntent | None:
    parsed = parse_prompt(what)
    if parsed.style:
        text = styling.bare(parsed.style[0])
        return PreferenceIntent(preference=Preference(kind="style", text=text, on=on))
    if style_only and ((parsed.background and not parsed.groups) or _TONES.fullmatch(what)):
        text = re.sub(r"^an? ", "", what)[:100]
        return PreferenceIntent(preference=Preference(kind="style", text=text, on=on))
    if not on and not parsed.groups and (parsed.background or _TONES.fullmatch(what)):
        return PreferenceIntent(preference=Preference(kind="style", text=re.sub(r"^an? ", "", what)[:100], on=False))
    if style_only or len(parsed.groups) != 1:
        return None
    return PreferenceIntent(preference=Preference(kind="never", text=parsed.groups[0].object, on=on))
