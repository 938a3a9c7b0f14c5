"""The commands, one file each.

A file is found by its name: ``node_types.py`` is ``refluxo node-types`` (a last ``_`` only keeps a file from the name
of a module of Python's own). It defines ``command`` and ``SECTION``, the part of ``refluxo --help`` it is listed in,
and imports at its top no more than ``--help`` is to wait for.
"""
