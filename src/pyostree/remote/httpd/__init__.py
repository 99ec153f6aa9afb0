"""``ostree trivial-httpd``: a small static web server for repositories, and for testing clients."""
