"""A small world to show the fleet with: drawn people, a base model that draws them, and a judge of likeness."""
