"""What administrators do with apps: pages and a JSON API over the same services. Leaves signing in and tokens to others."""
