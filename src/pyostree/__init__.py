"""OSTree in Python: versioned operating system trees, published, pulled and deployed.

The names listed in ``__all__`` are the public interface; everything below is internal.
"""

__version__ = "0.1.0"

__all__ = ["__version__"]
