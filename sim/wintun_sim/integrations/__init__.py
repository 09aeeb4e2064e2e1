"""The edge of the package: other people's libraries and file formats, imported when they are first used."""
