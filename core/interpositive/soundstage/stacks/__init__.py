"""Light stacks: procedural objects and rooms, seen under one light at a time, as training data."""
