"""From sequence to sequence: translation, chat, captions."""
