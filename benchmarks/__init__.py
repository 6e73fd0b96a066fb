"""Programs that measure what edgehip claims, and print it."""
