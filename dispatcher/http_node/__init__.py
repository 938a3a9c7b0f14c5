"""``core:http``: one call of a URL that a workflow names, to addresses that it may reach."""
