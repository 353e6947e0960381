"""What an order costs on its way, and how long it takes: this service beside others, on one stack; `make bench`.

`contenders` names who takes part, `stack` is what they run on, `rounds` lets them run in turn, `results` and `goals`
say what came of it, `report` and `page` show it.
"""
