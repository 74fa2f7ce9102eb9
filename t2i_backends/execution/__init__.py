"""Running a graph: whether it can run here, in what order, what is kept."""
