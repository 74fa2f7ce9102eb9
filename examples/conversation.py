"""A conversation that is kept: change the picture, go back, ask why. Run it twice, and it goes on."""

from imagewright import Imagewright

chat = Imagewright().chat("example", flow="mini-quick", use_critic=False, seed=3)
for said in ("a red circle left of a blue square", "make the circle green", "undo", "why this flow?"):
    reply = chat.say(said)
    print(f"> {said}\n{reply.text}")
print([picture.prompt for picture in chat.pictures])
