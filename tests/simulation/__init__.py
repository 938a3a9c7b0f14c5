"""The real handlers over ports that lie, in virtual time: whatever happens, no run is lost and none runs twice."""
