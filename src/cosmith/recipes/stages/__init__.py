"""What each kind of stage does: one function a kind, which calls the rooms and says what they found."""
