"""What tests of planning and flows stand on: a clock, vendors without a network, and an engine on both."""
