"""The tests, a package so that two rooms may have files of the same name."""
