"""Asset checks: they show operators what the release check found, and stop the run. They are not the boundary."""
