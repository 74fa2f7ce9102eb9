"""How fast a backend is here."""
