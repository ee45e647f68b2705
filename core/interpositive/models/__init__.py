"""Networks, what a model folder contains, and its export."""
