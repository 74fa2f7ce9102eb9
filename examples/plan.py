"""What would be drawn with which flow, and where things would go; nothing is drawn."""

from imagewright import Imagewright

plan = Imagewright().plan("a fox and an owl sharing an umbrella, watercolour")
print(plan.categories, [candidate.flow for candidate in plan.candidates])
for box in plan.layout.boxes:
    print(f"{box.caption}: {box.x:.2f}, {box.y:.2f}, {box.width:.2f} x {box.height:.2f}")
