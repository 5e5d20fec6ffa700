try:
    from python_rules.core import *
except Exception:  # a broken Sluice must not stop the zone from accepting connections
    def pep_database_reg_rule_exec_pre(rule_args, callback, rei):
        return -13000  # without Sluice's guard any user could queue Python, so nothing may be queued
