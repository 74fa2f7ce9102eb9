"""What can be said in a conversation: the one text behind ``help``, wherever it is said."""

HELP = """say what to draw, or what to change:
  a house under a blue moon        a new picture; what can you draw?
  make the moon red; bigger house  a change; the rest stays as it is
  put the moon left of the house   a place; swap them; mirror the picture
  there should be two, not three   a count; add a star; without the moon
  one more; seed 12; 4 variations  the same with other seeds
  undo; redo; go back to the house an earlier picture; like the second one
  save as boat.png                 a copy beside the other pictures
  why this flow?; what changed?    questions; thumbs up: what you think of it
  I like watercolour; never text   wishes for every new picture"""
