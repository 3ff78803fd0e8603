"""What an image is built of: its layers, the files of each, what of it is wasted."""
