"""What the command shows and reads in a terminal."""
