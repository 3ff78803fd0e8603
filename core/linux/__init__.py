"""The only room that imports ctypes. Functions are named after the system call and raise OSError.

Import the modules, not this: what needs no ctypes must not pay for it.
"""
