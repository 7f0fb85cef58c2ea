"""A folder of images to an index of files, and a sheet's references to files of that index."""
