"""The processes of a zone: supervisor, listener, one agent per connection."""
