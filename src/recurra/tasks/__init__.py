"""One package per task family: configuration, data, training, evaluation, verbs and facade."""
