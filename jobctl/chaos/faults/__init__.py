"""How each kind of fault is made, and what its record must say so that it can be undone."""
