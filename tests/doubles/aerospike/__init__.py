"""An Aerospike cluster for tests, where there is no server to be had: what the real client sees of one.

It speaks the wire protocol (`wire`), keeps records with versions, lives and filters as the server does
(`records`), on as many nodes as asked for (`cluster`), over TCP or mutual TLS, and fails as told. It is in
memory and one process: it shows how the client and our use of it behave, not how a server performs.
"""
