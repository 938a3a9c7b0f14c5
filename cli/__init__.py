"""The ``refluxo`` command."""
