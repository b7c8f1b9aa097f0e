"""Every night: the lines of `nina diff` applied to a database. Each script is for reading, and for changing."""
