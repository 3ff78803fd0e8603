"""The one room that knows ctypes: constants and system calls of Linux, named as the kernel names them."""
