"""`argosy demo`: twelve photos in, a personalised model and portraits out, with a machine killed in between."""
