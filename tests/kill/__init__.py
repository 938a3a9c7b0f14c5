"""Workers that are killed in the middle of their work: no run is lost, none is committed twice."""
