"""What the documentation's site needs beside mkdocs: files from outside of docs/, and what draws its diagrams."""
