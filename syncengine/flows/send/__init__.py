"""From plans to vendors: sending each write once, and settling it."""
