"""Sound: recordings, their features and their augmentation."""
