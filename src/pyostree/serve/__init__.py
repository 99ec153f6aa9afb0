"""The production web server: repositories over HTTP/1.1 and HTTP/2, read-only."""
