from artisans.core.retention import Retention
from orders.holds import held_lines_ended

HELD_LINES = Retention("held_lines", lambda before: held_lines_ended(), clock="pk", is_personal=False)
