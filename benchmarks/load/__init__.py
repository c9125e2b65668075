"""The load generator: authors and subscribers, in a process of their own.

Plain non-blocking sockets and one epoll, so that it is not what limits a broker; each function also gives the
processor time that the generator itself has had. All of them end by themselves.
"""
