"""What all flows stand on: the engine and its limits, what surrounds a link, and what has to wait."""
