"""One production: its dailies' catalogue, what each clip looks like, and who may do what with it."""
