"""What `import sonoproof` offers. The command line calls the same functions."""
