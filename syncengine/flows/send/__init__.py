"""From decisions to vendors: each write once, and what became of it."""
