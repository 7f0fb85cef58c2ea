"""A part's predictions to the JSON that the report reads."""
