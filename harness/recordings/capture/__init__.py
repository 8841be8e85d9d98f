"""Live traffic into recordings: what is asked for where, what is taken out of it, and how it reaches the disk.

The transport that receives is passed in by whoever joins the two: nothing here opens a connection.
"""
