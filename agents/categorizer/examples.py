"""The categories that the rules categorizer starts with, each with example prompts. The set is open: add a line."""

from __future__ import annotations

EXAMPLES: dict[str, tuple[str, ...]] = {
    "People": (
        "a portrait of a young woman smiling",
        "two men talking in a cafe",
        "a group of children playing",
        "an elderly fisherman",
        "a family at dinner",
    ),
    "Animals": (
        "a dog running on grass",
        "a fox in the forest",
        "two cats sleeping",
        "an owl on a branch",
        "a herd of elephants",
    ),
    "Anime": (
        "anime girl with pink hair",
        "manga style hero with a sword",
        "a chibi character",
        "studio anime background, cel shaded",
    ),
    "Food": (
        "a plate of pasta with basil",
        "a chocolate cake with strawberries",
        "fresh fruit in a bowl",
        "a burger and fries",
    ),
    "Architecture": (
        "a modern glass skyscraper",
        "the interior of a gothic cathedral",
        "a cozy living room with a fireplace",
        "an old stone bridge",
    ),
    "Landscape": (
        "mountains at sunrise with mist",
        "sunset over the ocean",
        "a green valley with a river",
        "a desert under a starry sky",
    ),
    "City": ("a busy street in the rain at night", "a skyline with neon lights", "a market square in an old town"),
    "Abstract shapes": (
        "a red circle above a blue square",
        "three yellow triangles",
        "geometric shapes on a white background",
        "a green star and a heart",
    ),
    "Still life": (
        "a cup and a book on a table",
        "a vase of flowers by a window",
        "a bottle and two bowls",
        "a laptop and a backpack",
    ),
    "Vehicles": (
        "a red sports car on a road",
        "a steam train crossing a bridge",
        "two bicycles and a bus",
        "an airplane in the sky",
    ),
    "Fantasy": (
        "a dragon over a castle",
        "a wizard casting a spell",
        "an enchanted forest with fairies",
        "a unicorn under the moon",
    ),
    "Science fiction": (
        "an astronaut on the moon",
        "a robot in a futuristic city",
        "a spaceship near a planet",
        "a cyberpunk street",
    ),
    "Photo": (
        "a realistic photo of a scene",
        "35mm photograph, shallow depth of field",
        "photorealistic close-up shot",
        "DSLR photo, natural light",
    ),
    "Illustration": (
        "a flat vector illustration",
        "a children's book drawing",
        "a cartoon sketch with ink outlines",
        "a comic panel",
    ),
    "Painting": (
        "an oil painting in the style of Rembrandt",
        "a watercolour of a village",
        "impressionist painting of a garden",
        "acrylic on canvas",
    ),
    "3D render": (
        "a 3d render of a cute character",
        "isometric low poly room",
        "octane render, product visualisation",
        "claymation figure",
    ),
    "Product": (
        "a perfume bottle on a studio background",
        "packaging design for a tea brand",
        "an advertisement for headphones",
    ),
    "Logo and design": (
        "a logo for a coffee shop",
        "a minimalist app icon",
        "a poster for a concert",
        "a business card design",
    ),
    "Text": (
        "a sign that says open",
        "the word hello written in chalk",
        "a book cover with a title",
        "a neon sign with letters",
    ),
    "Fashion": ("a model in a red evening dress", "streetwear outfit on a mannequin", "a pair of leather boots"),
}
"""Example prompts by category; a prompt is near a category when it is near one of these."""
