"""What is no longer kept: what is over, and whoever asked to be forgotten."""
