"""How pages and mails write dates and times; a time carries the abbreviation of its zone."""

DATE_FORMAT = "M j, Y"
SHORT_DATE_FORMAT = "M j, Y"
TIME_FORMAT = "H:i T"
DATETIME_FORMAT = "M j, Y, H:i T"
SHORT_DATETIME_FORMAT = "M j, Y, H:i T"
MONTH_DAY_FORMAT = "M j"
