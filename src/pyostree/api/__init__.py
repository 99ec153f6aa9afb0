"""The library's face: what `import pyostree` gives to programs, made of what lies below."""
