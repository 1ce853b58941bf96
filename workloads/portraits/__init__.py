"""A small world to show the fleet with: drawn people, a model that draws them, a judge of likeness."""
