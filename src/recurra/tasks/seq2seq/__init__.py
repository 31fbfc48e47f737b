"""The sequence-to-sequence tasks: translation, chat, captions."""
