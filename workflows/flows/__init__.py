"""The examples of ``workflows/definitions`` once more, written with the builder.

A workflow is JSON; :class:`~engine.flow.Flow` writes that JSON from Python. Each module's ``flow`` comes to exactly the
file of the same name, which a test sees to. The files are what is registered: here is how you would have written them.
"""
