"""The base prior: from light stacks to a network that knows what pictures are made of."""
