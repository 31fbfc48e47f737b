"""One package a task: its configuration, data, training, evaluation, verbs and facade."""
