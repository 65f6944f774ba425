"""The command line: `channelsafe`. It calls the application and holds no rule."""
