"""Data objects, replicas and collections: what a zone does with them, below the API and above the catalogue."""
