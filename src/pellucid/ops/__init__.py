"""What each operation means: one file for each."""
