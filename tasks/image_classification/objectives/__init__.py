"""What an image task learns of an image: its class, which of several labels it has, or numbers."""
