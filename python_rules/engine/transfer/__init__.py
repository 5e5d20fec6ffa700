"""Reading from and writing to a zone, as the user whose session it is."""
