"""What all flows build on: the engine, its limits, loading, gates, slots, staging."""
