"""Broken files for every reader: what one makes of them is a value that holds, or an error that names the file."""
