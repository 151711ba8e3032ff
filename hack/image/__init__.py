"""The operator's image as an archive for clusters that pull from nowhere: ``python -m image --out dist/images.tar``."""
