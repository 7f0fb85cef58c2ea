"""What is measured on: scored rows with labels, groups and exams."""
