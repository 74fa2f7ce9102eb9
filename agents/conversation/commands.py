"""Orders that are no change of a thing: help, save, redo, variations, size; and those that cannot be done here.

What cannot be done is said with what can: never is an order drawn as its own text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from imagewright.agents.conversation.targets import find_picture
from imagewright.agents.reading.numbers import NUMBER_WORDS
from imagewright.intents import AnyIntent, BranchIntent, CommandIntent, Reference, UnclearIntent, VaryIntent

_HELP = re.compile(
    r"(?:help(?: me)?|/help|commands|options|what (?:can|could|do) i (?:say|do|ask|type)(?: here| now)?|how does this "
    r"work|how (?:do|can) i (?:use|do|save|undo|change|export|delete|get) (?:this|it|that|things?|a picture)|"
    r"what are (?:the|your) (?:commands|options)|usage|instructions)"
)
_SAVE = re.compile(
    r"(?:save|export|download|store|write)(?: (?:it|this|that|the (?:picture|image|result)|picture \d+|image \d+))?"
    r"(?: (?:as|to|under|in)(?: (?:the )?(?:file|name))? (?P<name>\S+))?"
)
_REDO = re.compile(r"redo(?: (?:it|that|this|the (?:change|edit|last (?:one|change|edit))))?|undo the undo|un-?undo")
_SEVERAL = re.compile(
    r"(?:(?:give|show|draw|make|get|let me see|do|try|i want|i'd like|can i (?:see|get|have)) (?:me |us )?)?"
    r"(?:(?P<n>\w+) (?:more )?(?:different )?(?:variations?|versions?|variants?|alternatives?|options)"
    r"(?: (?:of|on) (?:it|this|that|these|the (?:picture|image)))?|"
    r"(?P<m>\w+) more (?:of (?:it|this|that|these|those)|like (?:it|this|that|these|those)|pictures|images))"
)
_SOME = 3
_SOME_WORDS = ("some", "several", "few", "more", "other")
_SEED = re.compile(r"\bseed (?:number |to )?(?P<seed>\d{1,20})\b")
_OTHER_SEED = re.compile(
    r"(?:the )?same (?:prompt|words|thing|picture)(?:,| with| but)? (?:with |but )?(?:an? )?(?:different|another|"
    r"new|other)"
    r" seed|change the seed|(?:(?:try|draw|do|make|run|generate|give me|show me)(?: (?:it|this|that|one))? ?"
    r"(?:again|anew|once more|another time|over)?,? )?(?:with|using|on) (?:an? )?(?:different|another|new|other|random|"
    r"fresh) seed"
)
_IMAGE = r"(?:it|this|that|(?:the|my) (?:whole )?(?:picture|image|canvas|scene|drawing|photo))"
_RATIO = r"(?:\d{1,2} ?(?::|x|by) ?\d{1,2}|square|landscape|portrait|wide ?screen|panorama|banner)"
_SIZE = re.compile(
    rf"(?:(?:make|resize|set|draw|render|change|do|give me|have|turn|crop|in) )*(?:{_IMAGE} )?(?:be |to |in |at |"
    rf"into |as )?"
    rf"(?:an? )?(?:\d{{2,5}} ?(?:x|by|\*|×) ?\d{{2,5}}(?: ?(?:px|pixels))?|{_RATIO} (?:format|aspect(?: ratio)?|"
    rf"orientation|"
    r"mode|crop|picture|image)|\d{1,2}:\d{1,2}|landscape|portrait|widescreen)"
    rf"|(?:change|set) the (?:size|aspect ratio|aspect|resolution|format)(?: of {_IMAGE})?(?: to .+)?"
    r"|(?:higher|more|lower|full|double the) (?:resolution|res)|in (?:hd|4k|8k|high(?:er)? resolution)"
)
_CANNOT: tuple[tuple[str, str], ...] = (
    (
        r"(?:rotate|turn|tilt|spin|tip)\b.*(?:\d+ ?(?:degrees|°)|upside down|clockwise|around|sideways|over)|"
        r"(?:rotate|tilt|"
     r"spin)\b.*",
     "things cannot be rotated here; they can be moved, resized, recoloured, replaced and exchanged"),
    (r"(?:flip|mirror|reverse)\b.*",
     "one thing cannot be flipped here; the whole arrangement can: `mirror the picture`"),
    (
        r"(?:upscale|super-?res|enhance|sharpen|denoise)\b.*|(?:make (?:it|this) )?(?:sharper|higher quality|more "
        r"detailed)"
    ,
     "a conversation does not upscale or sharpen; a flow with an upscaler does (`imagewright flows list`)"),
    (r"(?:list|show)(?: me)? (?:all )?(?:of )?(?:my|the|our|all) (?:pictures|images|history|gallery)(?: so far)?",
     "every picture here has a number: `/pictures` lists them in the terminal, the page's gallery shows them, and "
     "`go back to picture 2` takes one up again"),
    (r"(?:zoom|pan|scroll)\b.*|(?:move|bring) the camera\b.*",
     "there is no camera here; things can be made larger or smaller and moved: `make everything smaller`"),
    (r"(?:crop|extend|outpaint|expand|widen) (?:it|this|the (?:picture|image|canvas))\b.*",
     "a picture is not cropped or extended here; size and shape are set at the start: `imagewright chat --size 96x64`"),
    (r"(?:use|with|switch to|try|run|change to|draw (?:it|this) with) (?:the )?(?:sdxl|sd ?\d[\d.]*|flux\S*|dall-?e\S*|"
     r"midjourney|stable diffusion\S*|qwen\S*|another (?:model|flow)|a different (?:model|flow)|.+ (?:model|flow|"
     r"checkpoint|"
     r"sampler|scheduler|lora))\b.*",
     "the flow is set at the start: `imagewright chat --flow NAME` (`imagewright flows list` shows which can run "
     "here)"),
    (
        r"(?:use |with |set |do |draw )?(?:the )?(?:\d+ (?:sampling )?steps|(?:steps|cfg|guidance|cfg scale|"
        r"sampler|scheduler|"
     r"denoise|strength)(?: (?:to |= ?|of )?\S+)?)",
     "steps, guidance and sampler are the flow's own here; another seed can be asked for: `seed 42`"),
    (r"(?:print|share|post|send|email|upload|tweet|copy (?:it|this) to)\b(?! (?:it |them |the \w+ )?(?:to|in|on|behind|"
     r"left|right|up|down)).*",
     "a picture is not sent anywhere; it lies in your folder, and `save as NAME.png` makes a copy"),
    (r"(?:(?:clear|reset|restart|start over|start again|begin again|new (?:chat|conversation|thread|session))"
     r"(?: (?:it|this|all|the (?:chat|conversation|thread|history|picture|image)))?|delete (?:all|everything|the "
     r"(?:chat|"
     r"conversation|thread|history|picture|image)))|start (?:from scratch|anew|fresh)",
     "a conversation is kept; `undo` goes back, any new prompt begins anew, `/thread NAME` opens another one"),
    (
        r"(?:make (?:it|this|them) |have (?:it|them) )?(?:animate|animated|move around|a (?:gif|video|movie))\b.*|"
        r"animate .+"
    ,
     "only still pictures are drawn here"),
    (
        r"(?:make (?:it|this|that|the \w+) )?(?:look )?(?:a bit |much |way )?(?:less|more|not so|not as) "
        r"\w+(?:ish|ic|y|ful|ive|ed"
     r"|ing|al|able)(?: looking)?|(?:make|let) (?:it|this|them|the \w+) (?:really |just )?(?:pop|shine|stand out|"
     r"sing|better|"
     r"nicer|prettier|cooler|cuter|more interesting|perfect)(?: more)?|(?:improve|fix|beautify|polish) (?:it|this|"
     r"that)|make "
     r"the .+ look (?:less|more) .+|make (?:it|this) look (?:better|nicer|good|great|real|more real)",
     "I cannot tell what to change for that; say a colour, a size, a place, a background or a style: `in watercolour`"),
)  # fmt: skip


def read_order(said: str, pictures: Sequence[Reference]) -> AnyIntent | None:
    """An order that changes no thing; None where ``said`` is none."""
    live = [picture for picture in pictures if picture.live]
    base = live[-1].run if live else ""
    if _HELP.fullmatch(said):
        return CommandIntent(name="help", base=base)
    if not pictures:
        return None
    if found := _SAVE.fullmatch(said):
        which = find_picture(said, pictures) if re.search(r"\d", said.split(" as ")[0]) else None
        return CommandIntent(name="save", base=which.run if which else base, text=found["name"] or "")
    if _REDO.fullmatch(said):
        return _redo(pictures, live)
    if found := _SEVERAL.fullmatch(said):
        return _several(found["n"] or found["m"], base)
    if _OTHER_SEED.fullmatch(said):
        return VaryIntent(base=base)
    if (found := _SEED.search(said)) and re.search(r"\b(?:steps|cfg|guidance|sampler)\b", said):
        return UnclearIntent(
            reason="steps, guidance and sampler are the flow's own here; the seed can be set: shall it be drawn so?",
            choices=(f"seed {found['seed']}",),
        )
    return None


def count_variations(said: str) -> int:
    """How many pictures "show me 4 variations" asks for; "some" are three, and any other saying asks for none."""
    found = _SEVERAL.fullmatch(said)
    word = (found["n"] or found["m"]) if found else ""
    number = int(word) if word.isdigit() else NUMBER_WORDS.get(word, _SOME if word in _SOME_WORDS else 0)
    return number if number > 1 else 0


def read_size_order(said: str) -> AnyIntent | None:
    """Another size or shape of the picture, which a conversation cannot give; None where none is asked for."""
    if not _SIZE.fullmatch(said):
        return None
    text = "every picture of a conversation has one size, set at the start: `imagewright chat --size 96x64`"
    return CommandIntent(name="cannot", text=text)


def read_impossible(said: str) -> AnyIntent | None:
    """What cannot be done here, with what can; None where ``said`` asks for nothing of the kind."""
    words = next((words for pattern, words in _CANNOT if re.fullmatch(pattern, said)), "")
    return CommandIntent(name="cannot", text=words) if words else None


def _redo(pictures: Sequence[Reference], live: Sequence[Reference]) -> AnyIntent:
    """The picture that the last undo left behind: made after the present one, and the next of those."""
    now = live[-1].number if live else 0
    after = sorted((p for p in pictures if not p.live and p.number > now), key=lambda picture: picture.number)
    if not after:
        return UnclearIntent(reason="nothing was undone; `one more` draws the picture anew")
    return BranchIntent(base=after[0].run)


def _several(word: str, base: str) -> AnyIntent | None:
    number = int(word) if word.isdigit() else NUMBER_WORDS.get(word)
    if word not in _SOME_WORDS and (number is None or number < 2):
        return None
    reason = "a saying makes one picture: say `one more` for each; shall I draw the first?"
    return UnclearIntent(reason=reason, choices=("one more",))
