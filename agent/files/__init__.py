"""Files in and out of this node: `transfer` moves them over HTTP, `cache` keeps inputs for the next job."""
