"""What got stuck, once a minute."""
