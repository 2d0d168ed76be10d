"""What tests of planning and flows stand on."""
