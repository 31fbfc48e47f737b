"""The task detect: words in a stream of sound."""
